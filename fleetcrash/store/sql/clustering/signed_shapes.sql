-- The signatures that the rules have made, one row per shape. $signed: JSON, a list of {shape, cluster_id, signature}.
SELECT unnest(
  from_json($signed, '[{"shape": "UBIGINT", "cluster_id": "VARCHAR", "signature": "VARCHAR"}]'), recursive := true
)
