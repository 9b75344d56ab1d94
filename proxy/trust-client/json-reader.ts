/** Guards that turn a parsed JSON value into one expected type, or refuse the file by name. */
import { invalid, type TrustCause, type TrustError } from './errors.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

/** Reads the members of one metadata file; `role` and the member's path go into the error. */
export class JsonReader {
  private readonly role: string;

  constructor(role: string) {
    this.role = role;
  }

  /**
   * An object with known members. Notary's decoder matches names without regard to case, so a member that equals a
   * known one only that way would be seen by one reader and not by another (notary-semantics.md §5.1).
   */
  struct(value: JsonValue | undefined, path: string, known: readonly string[]): JsonObject {
    const object = this.object(value, path);
    for (const name of object.keys()) {
      if (known.includes(name)) continue;
      const folded = foldCase(name);
      if (known.some((field) => foldCase(field) === folded)) {
        throw this.fault(`${path} has a member that differs from a known one only in case`);
      }
    }
    return object;
  }

  /** As `struct`, for the unsigned parts of a file: nothing unknown may ride along (Cure53 TUF-01-001). */
  closedStruct(value: JsonValue | undefined, path: string, known: readonly string[]): JsonObject {
    const object = this.object(value, path);
    for (const name of object.keys()) {
      if (!known.includes(name)) throw this.fault(`${path} has an unknown member`);
    }
    return object;
  }

  object(value: JsonValue | undefined, path: string): JsonObject {
    if (value instanceof Map) return value;
    throw this.fault(`${path} is not an object`);
  }

  array(value: JsonValue | undefined, path: string, most: number): readonly JsonValue[] {
    if (!Array.isArray(value)) throw this.fault(`${path} is not an array`);
    if (value.length > most) throw this.fault(`${path} has more than ${most} entries`, 'size');
    return value;
  }

  string(value: JsonValue | undefined, path: string): string {
    if (typeof value === 'string') return value;
    throw this.fault(`${path} is not a string`);
  }

  strings(value: JsonValue | undefined, path: string, most: number): readonly string[] {
    return this.array(value, path, most).map((item) => this.string(item, path));
  }

  /**
   * A plain integer literal within the safe range: `1.0` and `1e0` are type errors for Notary too
   * (notary-semantics.md §3.3).
   */
  integer(value: JsonValue | undefined, path: string, least: number): number {
    if (typeof value === 'number' && value >= least) return value;
    throw this.fault(`${path} is not an integer of at least ${least}`);
  }

  fault(what: string, cause: TrustCause = 'format'): TrustError {
    return invalid(cause, this.role, `${this.role} is malformed: ${what}`);
  }
}

/** Folds as Go's decoder does: upper then lower, which also catches the long s and the Kelvin sign. */
function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase();
}
