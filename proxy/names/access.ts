/** A caller and what it wants to read. */
export type Access = {
  readonly registry: string;
  readonly repository: string;
  /** The Authorization header; undefined: an anonymous caller, cached like any other. */
  readonly authorization: string | undefined;
};
