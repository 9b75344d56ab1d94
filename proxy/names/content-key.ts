/** The whole identity of a manifest or a configuration: the same digest in another repository is another right to read. */
export type ContentKey = { readonly registry: string; readonly repository: string; readonly digest: string };
