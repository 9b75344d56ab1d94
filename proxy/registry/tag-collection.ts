/**
 * What of a registry's list is shown, gathered page by page. Each name costs a look at the trust data, so the names of
 * a page are looked at in pieces, and all lists together have one piece in each turn of the event loop.
 */
import { takeTurn } from './turns.ts';

export type Collected = {
  /** Sorted, each once. */
  readonly tags: readonly string[];
  /** There are more after them. */
  readonly isCut: boolean;
};

/** How long one piece may take, in milliseconds, and how many names are looked at between two looks at the clock. */
const PIECE_MS = 4;
const NAMES_A_LOOK = 16;
/** What a name takes beside its characters, in bytes. */
const NAME_BYTES = 64;
/** So many names in order are no accident: the registry sorts. */
const ORDER_SEEN = 100;

export interface Collection {
  add(names: readonly string[]): Promise<void>;
  /** All names so far came in order; in a list asked for from a name on, all of them after it. */
  isInOrder(): boolean;
  /** The registry sorts, and has not come as far as this name. */
  isBefore(name: string): boolean;
  /** The registry sorts, and what comes later cannot change what `take` gives. */
  isEnough(): boolean;
  /** What it holds in memory, in bytes. */
  bytes(): number;
  take(): Collected;
}

/** @param from the name after which the registry was asked to begin. */
export function createCollection(
  { n, last = '' }: { readonly n: number | undefined; readonly last: string | undefined },
  isShown: (name: string) => boolean,
  from = '',
): Collection {
  const shown = new Set<string>();
  let seen = 0;
  let bytes = 0;
  let newest = from;
  let inOrder = true;

  const look = (name: string): void => {
    if (name < newest || (name === from && from !== '')) inOrder = false;
    newest = name;
    seen += 1;
    if (name <= last || shown.has(name) || !isShown(name)) return;
    shown.add(name);
    bytes += name.length + NAME_BYTES;
  };
  const isSorted = (): boolean => inOrder && seen >= ORDER_SEEN;
  const isEnough = (): boolean => n !== undefined && isSorted() && shown.size > n;

  return {
    async add(names) {
      await takeTurn();
      let started = performance.now();
      for (const [at, name] of names.entries()) {
        if (at % NAMES_A_LOOK === NAMES_A_LOOK - 1 && performance.now() - started > PIECE_MS) {
          await takeTurn();
          started = performance.now();
        }
        look(name);
      }
    },
    isInOrder: () => inOrder,
    isBefore: (name) => isSorted() && newest < name,
    isEnough,
    bytes: () => bytes,
    take() {
      const tags = inOrder ? [...shown] : [...shown].sort();
      return { tags: tags.slice(0, n), isCut: n !== undefined && n < tags.length };
    },
  };
}
