-- Where some host of each system tells its presence nobody's is assumed, and it is not asked whose is told.
SELECT CAST(NULL AS VARCHAR) AS host_id WHERE false
