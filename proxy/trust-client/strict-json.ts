/** A JSON value whose objects cannot be polluted or read by prototype, and never hold a name twice. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;
