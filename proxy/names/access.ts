/** A caller and what it wants to read. */
export type Access = {
  readonly registry: string;
  readonly repository: string;
  /** The Authorization header; undefined: nobody in particular, which is a principal like any other. */
  readonly authorization: string | undefined;
};
