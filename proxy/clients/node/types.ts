/** What an examination is given, and what it finds. */
import type { Lock } from '../types.ts';

/** One way around the proxy, to be printed as `file:line client: open; write`. */
export type Hole = {
  /** Path on the node. */
  readonly file: string;
  /** From 1; 1 also where a file or an entry is missing. */
  readonly line: number;
  readonly client: string;
  /** What is open. */
  readonly open: string;
  /** What to write instead. */
  readonly write: string;
};

/** The node's files. A path is absolute and the node's own, wherever its root is mounted. */
export type NodeFiles = {
  /** undefined: there is none, or it cannot be read. */
  readonly read: (path: string) => string | undefined;
  /** Names in a folder, folders with a slash at their end; empty when there is none. */
  readonly list: (folder: string) => readonly string[];
};

export type Scene = { readonly files: NodeFiles; readonly lock: Lock };
