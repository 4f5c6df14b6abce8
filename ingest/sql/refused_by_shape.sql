-- Refuses the lines whose object names a key twice: it says two things.
UPDATE staged SET reason = 'not_json' WHERE list_contains($shapes, shape) AND reason IS DISTINCT FROM 'not_an_object'
