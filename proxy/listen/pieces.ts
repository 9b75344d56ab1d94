/**
 * Bytes that are waited for, and come in whatever pieces a client sends. A piece costs a few hundred bytes beside what it
 * holds, so one for each byte would be a hundred times what is bounded: few are kept apart.
 */

/** Pieces kept apart before they are put together: each byte is then copied a few hundred times at most. */
const MAX_PIECES = 64;

export type Pieces = {
  readonly size: number;
  add(piece: Buffer): void;
  /** All of them as one, which are kept until `clear`. */
  whole(): Buffer;
  clear(): void;
};

export function createPieces(): Pieces {
  let pieces: Buffer[] = [];
  let size = 0;
  const whole = (): Buffer => {
    const [first] = pieces;
    if (first === undefined || pieces.length > 1) pieces = [Buffer.concat(pieces)];
    return pieces[0] ?? Buffer.alloc(0);
  };
  return {
    get size() {
      return size;
    },
    add(piece) {
      pieces.push(piece);
      size += piece.length;
      if (pieces.length > MAX_PIECES) whole();
    },
    whole,
    clear() {
      pieces = [];
      size = 0;
    },
  };
}
