/**
 * The entries of one targets file, packed: names in one buffer, sorted by their UTF-8 bytes, and for each its digest
 * and length. Four arrays whatever the file holds, so its memory is a number that can be counted, it moves between
 * threads without being copied, and nothing of it keeps the text of the file alive.
 */

export type TargetEntry = {
  /** The 32 bytes; undefined where the file gives no sha256, or one of another length. */
  readonly sha256: Uint8Array | undefined;
  readonly length: number;
};

/** As it is sent from one thread to another. */
export type PackedTargets = {
  readonly names: Uint8Array;
  /** Where each name ends; it begins where the one before it ends. */
  readonly ends: Uint32Array;
  readonly digests: Uint8Array;
  /** Bytes of each manifest; `NO_DIGEST` where the entry has no digest that Docker takes. */
  readonly lengths: Float64Array;
};

const DIGEST_BYTES = 32;
const NO_DIGEST = -1;

export class TargetTable {
  readonly packed: PackedTargets;

  constructor(packed: PackedTargets) {
    this.packed = packed;
  }

  /** How many entries there are. */
  get size(): number {
    return this.packed.ends.length;
  }

  get bytes(): number {
    const { names, ends, digests, lengths } = this.packed;
    return names.byteLength + ends.byteLength + digests.byteLength + lengths.byteLength;
  }

  /** Where the name stands, or undefined. A handful of comparisons, each no longer than the name. */
  find(name: Uint8Array): number | undefined {
    const at = this.lowerBound(name);
    return at < this.size && this.compareAt(at, name) === 0 ? at : undefined;
  }

  /** The first entry whose name is not below this one; `size` when all are. */
  lowerBound(name: Uint8Array): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareAt(middle, name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  nameAt(at: number): string {
    const { names, ends } = this.packed;
    const { buffer, byteOffset } = names;
    const start = this.startOf(at);
    return Buffer.from(buffer, byteOffset + start, (ends[at] ?? start) - start).toString('utf8');
  }

  /** Lower-case hex, or undefined: the entry is there, and has no digest that Docker takes (notary-semantics.md §2.3). */
  digestAt(at: number): string | undefined {
    if (this.packed.lengths[at] === NO_DIGEST) return undefined;
    const { buffer, byteOffset } = this.packed.digests;
    return Buffer.from(buffer, byteOffset + at * DIGEST_BYTES, DIGEST_BYTES).toString('hex');
  }

  lengthAt(at: number): number {
    return this.packed.lengths[at] ?? 0;
  }

  private startOf(at: number): number {
    return this.packed.ends[at - 1] ?? 0;
  }

  private compareAt(at: number, name: Uint8Array): number {
    const { names, ends } = this.packed;
    const start = this.startOf(at);
    const length = (ends[at] ?? start) - start;
    const shared = Math.min(length, name.length);
    for (let i = 0; i < shared; i += 1) {
      const order = (names[start + i] ?? 0) - (name[i] ?? 0);
      if (order !== 0) return order;
    }
    return length - name.length;
  }
}

export function packTargets(entries: ReadonlyMap<string, TargetEntry>): TargetTable {
  const sorted = sortNames([...entries.keys()]);
  const ends = new Uint32Array(sorted.length);
  const digests = new Uint8Array(sorted.length * DIGEST_BYTES);
  const lengths = new Float64Array(sorted.length);
  const names = new Uint8Array(sorted.reduce((sum, name) => sum + Buffer.byteLength(name), 0));
  const writer = Buffer.from(names.buffer);
  let end = 0;
  for (const [at, name] of sorted.entries()) {
    end += writer.write(name, end, 'utf8');
    ends[at] = end;
    const { sha256, length } = entries.get(name) ?? { sha256: undefined, length: 0 };
    const isUsable = sha256?.length === DIGEST_BYTES;
    lengths[at] = isUsable ? length : NO_DIGEST;
    if (isUsable) digests.set(sha256, at * DIGEST_BYTES);
  }
  return new TargetTable({ names, ends, digests, lengths });
}

const SURROGATE = /[\ud800-\udfff]/;

/** By UTF-8 bytes; JavaScript sorts by UTF-16 units, which differs only where surrogates are involved. */
export function sortNames(names: string[]): string[] {
  const byBytes = names.some((name) => SURROGATE.test(name));
  return byBytes ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names.sort();
}
