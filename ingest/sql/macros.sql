-- From what a record says to what the lake stores. Each macro gives null where its rule is broken, so that "was given
-- but is null now" is one test for every type. *_of_json take the JSON text of one value, as json_transform yields it.

-- Text without NUL: C code further down the line would cut it there.
CREATE OR REPLACE TEMP MACRO text_without_nul(given) AS CASE WHEN NOT contains(given, chr(0)) THEN given END;

-- A JSON string; a number is no text, because 4.10 would become 4.1. Only an escape needs a second parse; without one
-- the only quotes are those at the ends.
CREATE OR REPLACE TEMP MACRO text_of_json(given) AS
  CASE WHEN starts_with(given, '"') THEN
    CASE WHEN contains(given, '\') THEN text_without_nul(json_extract_string(given, '$'))
    ELSE replace(CAST(given AS VARCHAR), '"', '') END
  END;

-- An instant that microseconds, nanoseconds (pandas) and Delta can all hold. One that is later is no wrong time, but far
-- ahead: the latest of these is refused for that.
CREATE OR REPLACE TEMP MACRO time_in_range(given) AS
  CASE WHEN given >= TIMESTAMPTZ '1970-01-01 00:00:00+00'
    THEN least(given, TIMESTAMPTZ '2261-12-31 23:59:59.999999+00') END;

-- RFC 3339 with an offset or Z; a cast alone would also take dates, other zones and times without one.
CREATE OR REPLACE TEMP MACRO time_of_text(given) AS
  CASE WHEN regexp_full_match(
    given,
    '\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,30})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)'
  ) THEN time_in_range(TRY_CAST(upper(given) AS TIMESTAMPTZ)) END;

CREATE OR REPLACE TEMP MACRO number_finite(given) AS CASE WHEN isfinite(CAST(given AS DOUBLE)) THEN CAST(given AS DOUBLE) END;

CREATE OR REPLACE TEMP MACRO number_of_json(given) AS
  CASE WHEN regexp_matches(given, '^-?[0-9]') THEN number_finite(TRY_CAST(CAST(given AS VARCHAR) AS DOUBLE)) END;

-- 4.0 is whole, 1.5 is not; beyond 2^53 a double no longer says which whole number was meant.
CREATE OR REPLACE TEMP MACRO whole_of_number(given) AS
  CASE WHEN isfinite(given) AND trunc(given) = given AND abs(given) < 9007199254740992 THEN CAST(given AS BIGINT) END;

CREATE OR REPLACE TEMP MACRO whole_of_json(given) AS
  CASE WHEN regexp_full_match(given, '-?[0-9]+') THEN TRY_CAST(CAST(given AS VARCHAR) AS BIGINT)
  ELSE whole_of_number(number_of_json(given)) END;

CREATE OR REPLACE TEMP MACRO flag_of_json(given) AS
  CASE WHEN given IN ('true', 'false') THEN CAST(CAST(given AS VARCHAR) AS BOOLEAN) END;

CREATE OR REPLACE TEMP MACRO list_has_null(elements) AS list_count(elements) < len(elements);

-- Keys, each there once, and texts to a map; null where any text is null or a key holds NUL.
CREATE OR REPLACE TEMP MACRO map_of_lists(names, texts) AS
  CASE WHEN list_count(texts) = len(texts) AND NOT contains(array_to_string(names, ''), chr(0)) THEN map(names, texts) END;

CREATE OR REPLACE TEMP MACRO map_of_parsed(parsed) AS
  map_of_lists(map_keys(parsed), list_transform(map_values(parsed), lambda x: text_of_json(x)));

-- Nearly all maps hold texts without escapes, which need no look at each. One that names a key twice is null.
CREATE OR REPLACE TEMP MACRO map_of_json(given) AS
  CASE WHEN regexp_full_match(given, '\{(?:"[^"\\]*":"[^"\\]*",?)*\}') THEN
    json_transform(given, '"MAP(VARCHAR, VARCHAR)"')
  ELSE map_of_parsed(json_transform(given, '"MAP(VARCHAR, JSON)"')) END;

-- An object that names a key twice says two things; the parser gives null for it, alone or in a list.
CREATE OR REPLACE TEMP MACRO repeats_a_key(given) AS
  starts_with(given, '{') AND json_transform(given, '"MAP(VARCHAR, JSON)"') IS NULL;

CREATE OR REPLACE TEMP MACRO list_repeats_a_key(given) AS
  CASE WHEN starts_with(given, '[') AND list_has_null(json_transform(given, '["MAP(VARCHAR, JSON)"]')) THEN
    list_bool_or(list_transform(json_transform(given, '["JSON"]'), lambda x: coalesce(repeats_a_key(x), false)))
  ELSE false END;

CREATE OR REPLACE TEMP MACRO times_named(given, key) AS
  (strlen(CAST(given AS VARCHAR)) - strlen(replace(CAST(given AS VARCHAR), key, ''))) // strlen(key);

-- A stack as nearly all senders write it: texts without escapes, the keys of a frame in one order and so none twice.
CREATE OR REPLACE TEMP MACRO is_plain_stack(given) AS regexp_full_match(
  given,
  '\[(?:\{(?:"module":(?:"[^"\\]*"|null),?)?(?:"function":(?:"[^"\\]*"|null),?)?(?:"offset":(?:[0-9]{1,15}|null))?\},?)*\]'
);

-- Whether a stack must be looked at for keys that come twice: some key is there more often than frames that have it.
CREATE OR REPLACE TEMP MACRO frames_may_repeat(given, parsed) AS
  times_named(given, '"module":') <> list_count(list_transform(parsed, lambda x: x.module))
  OR times_named(given, '"function":') <> list_count(list_transform(parsed, lambda x: x."function"))
  OR times_named(given, '"offset":') <> list_count(list_transform(parsed, lambda x: x."offset"));

CREATE OR REPLACE TEMP MACRO frame_is_bare(frame) AS
  frame IS NULL OR frame.module IS NULL AND frame."function" IS NULL AND frame."offset" IS NULL;

CREATE OR REPLACE TEMP MACRO frame_is_sound(frame) AS
  (frame.module IS NULL OR text_of_json(frame.module) IS NOT NULL)
  AND (frame."function" IS NULL OR text_of_json(frame."function") IS NOT NULL)
  AND (frame."offset" IS NULL OR whole_of_json(frame."offset") IS NOT NULL);

CREATE OR REPLACE TEMP MACRO frames_of_parsed(parsed) AS
  CASE WHEN coalesce(list_bool_and(list_transform(parsed, lambda x: frame_is_bare(x) OR frame_is_sound(x))), true) THEN
    list_transform(parsed, lambda x: {
      'module': text_of_json(x.module),
      'function': text_of_json(x."function"),
      'offset': whole_of_json(x."offset")
    })
  END;

-- What is no object comes out of the parser as a frame without anything, so such frames are looked at again.
CREATE OR REPLACE TEMP MACRO frames_of_list(given, parsed) AS
  CASE WHEN NOT coalesce(list_bool_or(list_transform(parsed, lambda x: frame_is_bare(x))), false)
    OR list_bool_and(list_transform(json_transform(given, '["JSON"]'), lambda x: x IS NULL OR starts_with(x, '{')))
  THEN frames_of_parsed(parsed) END;

-- (An argument of a macro is planned once for each time that the macro names it: parsed is a call, frames many of them.)
CREATE OR REPLACE TEMP MACRO frames_without_repeats(given, parsed) AS
  CASE WHEN NOT coalesce(frames_may_repeat(given, parsed) AND list_repeats_a_key(given), true) THEN
    frames_of_list(given, parsed)
  END;

-- A stack. A frame of which nothing is known may be null; it stays, so that the others keep their places.
CREATE OR REPLACE TEMP MACRO frames_of_json(given) AS
  CASE WHEN is_plain_stack(given) THEN
    json_transform(given, '[{"module": "VARCHAR", "function": "VARCHAR", "offset": "BIGINT"}]')
  ELSE frames_without_repeats(
    given, json_transform(given, '[{"module": "JSON", "function": "JSON", "offset": "JSON"}]')
  ) END;

-- What plain_lines.py takes for a value: the usual forms, told in one look. Anything else is null, and looked at again.
CREATE OR REPLACE TEMP MACRO plain_time(given) AS
  CASE WHEN regexp_full_match(
    given,
    '(?:19[89]|20\d)\d-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)'
  ) THEN TRY_CAST(given AS TIMESTAMPTZ) END;

-- A JSON number, or what is not finite.
CREATE OR REPLACE TEMP MACRO plain_number(given) AS TRY_CAST(CAST(given AS VARCHAR) AS DOUBLE);

CREATE OR REPLACE TEMP MACRO plain_whole(given) AS
  CASE WHEN regexp_full_match(given, '[0-9]{1,15}') THEN CAST(CAST(given AS VARCHAR) AS BIGINT) END;

CREATE OR REPLACE TEMP MACRO plain_frames(parsed) AS
  CASE WHEN NOT coalesce(list_bool_or(list_transform(parsed, lambda x: frame_is_bare(x))), false) THEN
    list_transform(parsed, lambda x: {
      'module': x.module, 'function': x."function", 'offset': plain_whole(x."offset")
    })
  END;

-- What the fields of all frames account for.
CREATE OR REPLACE TEMP MACRO strings_of_frames(frames) AS CAST(
  2 * list_count(list_transform(frames, lambda x: x.module))
  + 2 * list_count(list_transform(frames, lambda x: x."function"))
  + list_count(list_transform(frames, lambda x: x."offset"))
AS INTEGER);

CREATE OR REPLACE TEMP MACRO marks_of_frames(frames) AS CAST(
  list_count(list_transform(frames, lambda x: x.module))
  + list_count(list_transform(frames, lambda x: x."function"))
  + list_count(list_transform(frames, lambda x: x."offset"))
AS INTEGER);

-- The same from columns that have a type: entries of a map, structs made of objects whose keys differ from row to row,
-- JSON text in a column of text.
CREATE OR REPLACE TEMP MACRO map_of_entries(entries) AS
  CASE WHEN len(list_distinct(list_transform(entries, lambda x: x.key))) = len(entries) THEN map_of_lists(
    list_transform(entries, lambda x: x.key),
    list_transform(entries, lambda x: text_without_nul(x.value))
  ) END;

CREATE OR REPLACE TEMP MACRO present_entries(parsed) AS list_filter(map_entries(parsed), lambda x: x.value IS NOT NULL);

CREATE OR REPLACE TEMP MACRO map_of_struct(given) AS map_of_lists(
  list_transform(present_entries(json_transform(given, '"MAP(VARCHAR, JSON)"')), lambda x: x.key),
  list_transform(present_entries(json_transform(given, '"MAP(VARCHAR, JSON)"')), lambda x: text_of_json(x.value))
);

-- JSON without what stands in its strings: commas and brackets in there mean nothing.
CREATE OR REPLACE TEMP MACRO emptied(given) AS regexp_replace(given, '"(?:[^"\\]|\\.)*"', '""', 'g');

-- The parser takes a comma before a closing bracket, which JSON does not.
CREATE OR REPLACE TEMP MACRO has_a_comma_too_many(given) AS
  CASE WHEN regexp_matches(given, ',\s*[}\]]') THEN regexp_matches(emptied(given), ',\s*[}\]]') ELSE false END;

-- Whether JSON has more levels than these; the parser takes any number of them, and what reads it later may not.
CREATE OR REPLACE TEMP MACRO nests_deeper(given, levels) AS
  CASE WHEN strlen(given) * 2 - strlen(replace(given, '[', '')) - strlen(replace(given, '{', '')) > levels THEN
    list_reduce(
      list_transform(
        string_split(regexp_replace(emptied(given), '[^\[\]{}]+', '', 'g'), ''),
        lambda x: CASE WHEN x IN ('[', '{') THEN 1 ELSE -1 END
      ),
      lambda depth, step: CASE WHEN depth > levels THEN depth ELSE depth + step END,
      0
    ) > levels
  ELSE false END;

-- The text of one JSON value as the parser writes it: no space between a key and its colon. The record around it is one
-- level more.
CREATE OR REPLACE TEMP MACRO json_of_text(given) AS json_transform(
  CASE WHEN json_valid(given) AND NOT has_a_comma_too_many(given) AND NOT nests_deeper(given, 63) THEN given END, '"JSON"'
);

-- Numbers and flags where all is text. A cast alone would also take spaces, 1_000 and inf; what writes CSV may spell
-- true as True or TRUE.
CREATE OR REPLACE TEMP MACRO number_of_text(given) AS
  CASE WHEN regexp_full_match(given, '-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?') THEN number_finite(TRY_CAST(given AS DOUBLE)) END;

CREATE OR REPLACE TEMP MACRO whole_of_text(given) AS
  CASE WHEN regexp_full_match(given, '-?[0-9]+') THEN TRY_CAST(given AS BIGINT)
  ELSE whole_of_number(number_of_text(given)) END;

CREATE OR REPLACE TEMP MACRO flag_of_text(given) AS
  CASE WHEN lower(given) IN ('true', 'false') THEN CAST(lower(given) AS BOOLEAN) END;

CREATE OR REPLACE TEMP MACRO frames_of_structs(given) AS
  CASE WHEN NOT coalesce(list_bool_or(list_transform(given, lambda x:
    coalesce(contains(x.module, chr(0)), false) OR coalesce(contains(x."function", chr(0)), false)
  )), false) THEN
    list_transform(given, lambda x: {
      'module': CAST(x.module AS VARCHAR), 'function': CAST(x."function" AS VARCHAR), 'offset': CAST(x."offset" AS BIGINT)
    })
  END;

-- An instant as RFC 3339, so that a row put aside can be read again as NDJSON.
CREATE OR REPLACE TEMP MACRO text_of_time(given) AS strftime(given, '%Y-%m-%dT%H:%M:%S.%fZ');
