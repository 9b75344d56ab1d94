/**
 * The path prefixes of one delegation, made so that asking costs one search instead of 256 comparisons. Sorted, and
 * without those that another one covers: then only the last one that is not above a name can be a prefix of it.
 */
export class PathSet {
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    const kept: string[] = [];
    for (const path of [...paths].sort()) {
      const last = kept.at(-1);
      if (last === undefined || !path.startsWith(last)) kept.push(path);
    }
    this.paths = kept;
  }

  covers(name: string): boolean {
    let [low, high] = [0, this.paths.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.paths[middle] ?? '') <= name) low = middle + 1;
      else high = middle;
    }
    const nearest = this.paths[low - 1];
    return nearest !== undefined && name.startsWith(nearest);
  }
}
