/**
 * The shapes of repositories that are compared: a cross of what publishers can choose, thinned out so that every two
 * choices meet in at least one repository (pairwise), which a full cross of millions could not add much to.
 */

/** What can be chosen, and every choice. The first one of each is the plain case. */
export const DIMENSIONS = {
  rootKey: ['ecdsa', 'rsa'],
  /** Who made the root's certificate: Notary, or openssl, for this repository or for a whole prefix. */
  certificate: ['made', 'own', 'wildcard'],
  serverKeys: ['ed25519', 'ecdsa'],
  snapshotKey: ['client', 'server'],
  delegations: ['none', 'releases', 'signers', 'signersOnly', 'nested', 'belowReleases'],
  delegationKeys: ['ecdsa', 'rsa', 'both'],
  paths: ['all', 'prefix', 'overlapping', 'disjoint', 'empty'],
  threshold: ['one', 'two', 'oneKeyTwice'],
  tags: ['one', 'zero', 'twenty', 'manyHundred'],
  hashes: ['sha256', 'both', 'withoutSha256'],
  custom: ['none', 'sorted', 'unsorted', 'fraction'],
  /** The same tag with another digest in `targets`, or in a signer's delegation. */
  conflict: ['none', 'targets', 'signer'],
  rotatedBefore: ['none', 'root', 'all'],
  rotatedLater: [
    'none',
    'targets',
    'snapshot',
    'snapshotToServer',
    'timestamp',
    'root',
    'rootSignedByOld',
    'all',
    'rounds',
  ],
  /** What the publisher does between the cold and the warm resolution, beside rotating keys. */
  change: [
    'none',
    'add',
    'move',
    'revoke',
    'revokeAll',
    'witness',
    'narrowPaths',
    'replaceKey',
    'removeDelegation',
    'readdDelegation',
    'recreate',
    'recreateSameRoot',
    'delete',
  ],
} as const;

export type Dimension = keyof typeof DIMENSIONS;
export type Shape = { readonly [D in Dimension]: (typeof DIMENSIONS)[D][number] };

/** In how many repositories an expensive choice may stand. */
const MOST: Readonly<Record<string, number>> = {
  'tags manyHundred': 14,
  'certificate own': 30,
  'certificate wildcard': 26,
};

const CANDIDATES = 60;
const SAMPLES = 20_000;
const SEED = 20_261_121;

export interface Cover {
  readonly shapes: readonly Shape[];
  /** How many pairs of choices stand together in a repository, of those that can. */
  readonly pairs: number;
  readonly possiblePairs: number;
}

/** Picks `count` shapes greedily by the pairs they add. The same count gives the same shapes on every machine. */
export function coverShapes(count: number): Cover {
  const random = createRandom(SEED);
  const possible = new Set<string>();
  for (let sample = 0; sample < SAMPLES; sample += 1) addPairs(drawShape(random), possible);
  const covered = new Set<string>();
  const used = new Map<string, number>();
  const shapes: Shape[] = [];
  while (shapes.length < count) {
    const best = drawBest(random, covered, used);
    shapes.push(best);
    addPairs(best, covered);
    for (const choice of choicesOf(best)) used.set(choice, (used.get(choice) ?? 0) + 1);
  }
  return { shapes, pairs: covered.size, possiblePairs: possible.size };
}

function drawBest(
  random: () => number,
  covered: ReadonlySet<string>,
  used: ReadonlyMap<string, number>,
): Shape {
  let best = drawAffordable(random, used);
  let bestGain = gainOf(best, covered);
  for (let candidate = 1; candidate < CANDIDATES; candidate += 1) {
    const shape = drawAffordable(random, used);
    const gain = gainOf(shape, covered);
    if (gain > bestGain) [best, bestGain] = [shape, gain];
  }
  return best;
}

function drawAffordable(random: () => number, used: ReadonlyMap<string, number>): Shape {
  for (;;) {
    const shape = drawShape(random);
    if (choicesOf(shape).every((choice) => (used.get(choice) ?? 0) < (MOST[choice] ?? Infinity)))
      return shape;
  }
}

function drawShape(random: () => number): Shape {
  for (;;) {
    const shape = Object.fromEntries(
      Object.entries(DIMENSIONS).map(([name, choices]) => [
        name,
        choices[Math.floor(random() * choices.length)],
      ]),
    ) as unknown as Shape;
    if (isPossible(shape)) return shape;
  }
}

/** Rules out shapes that the programs cannot make, or that are another shape in disguise. */
function isPossible(shape: Shape): boolean {
  const { change, delegations, delegationKeys, threshold } = shape;
  if (change === 'recreateSameRoot' && shape.certificate === 'made') return false;
  if (['recreate', 'recreateSameRoot', 'delete'].includes(change) && shape.rotatedLater !== 'none')
    return false;
  if (shape.conflict === 'signer' && ['none', 'releases'].includes(delegations)) return false;
  if (delegations === 'none') {
    const changesDelegations = ['narrowPaths', 'replaceKey', 'removeDelegation', 'readdDelegation'];
    const isPlain = delegationKeys === 'ecdsa' && shape.paths === 'all' && threshold === 'one';
    return isPlain && shape.conflict === 'none' && !changesDelegations.includes(change);
  }
  if (shape.paths === 'empty' && change === 'narrowPaths') return false;
  if (threshold === 'two') return delegationKeys === 'both' && change !== 'replaceKey';
  if (threshold === 'oneKeyTwice') {
    // Each of its tags is a known difference; a few of them show it.
    return delegationKeys === 'ecdsa' && change !== 'replaceKey' && shape.tags !== 'manyHundred';
  }
  return true;
}

function choicesOf(shape: Shape): readonly string[] {
  return Object.entries(shape).map(([name, choice]) => `${name} ${choice}`);
}

function gainOf(shape: Shape, covered: ReadonlySet<string>): number {
  return pairsOf(shape).filter((pair) => !covered.has(pair)).length;
}

function addPairs(shape: Shape, pairs: Set<string>): void {
  for (const pair of pairsOf(shape)) pairs.add(pair);
}

function pairsOf(shape: Shape): readonly string[] {
  const choices = choicesOf(shape);
  return choices.flatMap((a, index) => choices.slice(index + 1).map((b) => `${a} × ${b}`));
}

/** mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
