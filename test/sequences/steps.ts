/** What can happen between two pulls: plain data, so that a failing sequence can be shrunk and read. */
import fc from 'fast-check';
import type { RoleKey } from './owner.ts';
import type { FaultKind, FileKind } from './server.ts';

export type Process = 'A' | 'B';
export type Tag = 'a' | 'b';

export type Step =
  | {
      readonly do: 'publish';
      readonly role: 'targets' | 'releases' | 'qa';
      readonly tag: Tag;
      readonly few: boolean;
    }
  | { readonly do: 'sign'; readonly tag: Tag }
  | { readonly do: 'revoke'; readonly tag: Tag; readonly everywhere: boolean }
  | { readonly do: 'rotate' | 'rewrap'; readonly role: RoleKey }
  | { readonly do: 'add key'; readonly role: RoleKey; readonly threshold: boolean }
  | { readonly do: 'remove delegation' | 'add delegation'; readonly role: 'releases' | 'qa' }
  | { readonly do: 'renew' | 'heal' | 'release' | 'remove state' }
  | {
      readonly do: 'lag';
      readonly back: number;
      readonly how: 'all' | 'alternate' | FileKind;
      readonly requests: number;
    }
  | { readonly do: 'roll back'; readonly back: number }
  | { readonly do: 'hide'; readonly how: 'absent' | 'unsigned'; readonly role: 'releases' | 'qa' }
  | { readonly do: 'old file'; readonly role: 'targets' | 'releases' | 'qa'; readonly back: number }
  | { readonly do: 'old keys'; readonly back: number }
  | {
      readonly do: 'fault';
      readonly on: FileKind;
      readonly kind: FaultKind;
      readonly skip: number;
      readonly times: number;
    }
  | { readonly do: 'hold'; readonly by: Process; readonly on: FileKind }
  | { readonly do: 'reload' | 'restart'; readonly by: Process }
  | { readonly do: 'clock'; readonly minutes: number }
  | { readonly do: 'pull'; readonly by: Process; readonly tag: Tag; readonly wait: number };

type Name = Step['do'];
export type Weights = Partial<Record<Name, number>>;

const LONG = 1000;
const DAY = 1440;
/** Seconds a pull waits first: long enough for a refresh, for the end of an outage, or not at all. */
const WAITS = [61, 61, 61, 6, 0] as const;

const tag = fc.constantFrom<Tag[]>('a', 'b');
const by = fc.constantFrom<Process[]>('A', 'A', 'A', 'B');
const role = fc.constantFrom<RoleKey[]>('root', 'timestamp', 'snapshot', 'targets', 'releases', 'qa');
const holder = fc.constantFrom('targets', 'releases', 'qa');
const delegation = fc.constantFrom('releases', 'qa');
const file = fc.constantFrom<FileKind[]>('any', 'root', 'timestamp', 'snapshot', 'targets', 'delegation');
const back = fc.integer({ min: 1, max: 6 });
const requests = fc.constantFrom(1, 3, 8, LONG);

/** Each kind of step and how it is filled in. */
const KINDS: { readonly [K in Name]: fc.Arbitrary<Step> } = {
  publish: fc.record({ do: fc.constant('publish'), role: holder, tag, few: fc.boolean() }),
  sign: fc.record({ do: fc.constant('sign'), tag }),
  revoke: fc.record({ do: fc.constant('revoke'), tag, everywhere: fc.boolean() }),
  rotate: fc.record({ do: fc.constant('rotate'), role }),
  rewrap: fc.record({ do: fc.constant('rewrap'), role }),
  'add key': fc.record({ do: fc.constant('add key'), role, threshold: fc.boolean() }),
  'remove delegation': fc.record({ do: fc.constant('remove delegation'), role: delegation }),
  'add delegation': fc.record({ do: fc.constant('add delegation'), role: delegation }),
  renew: fc.constant({ do: 'renew' }),
  heal: fc.constant({ do: 'heal' }),
  release: fc.constant({ do: 'release' }),
  'remove state': fc.constant({ do: 'remove state' }),
  lag: fc.record({
    do: fc.constant('lag'),
    back,
    how: fc.oneof(fc.constantFrom('all', 'alternate'), file),
    requests,
  }),
  'roll back': fc.record({ do: fc.constant('roll back'), back }),
  hide: fc.record({ do: fc.constant('hide'), how: fc.constantFrom('absent', 'unsigned'), role: delegation }),
  'old file': fc.record({ do: fc.constant('old file'), role: holder, back }),
  'old keys': fc.record({ do: fc.constant('old keys'), back }),
  fault: fc.record({
    do: fc.constant('fault'),
    on: file,
    kind: fc.constantFrom<FaultKind[]>('refused', 'late', 'html 404'),
    skip: fc.nat(3),
    times: requests,
  }),
  hold: fc.record({ do: fc.constant('hold'), by, on: file }),
  reload: fc.record({ do: fc.constant('reload'), by }),
  restart: fc.record({ do: fc.constant('restart'), by }),
  clock: fc.record({
    do: fc.constant('clock'),
    minutes: fc.constantFrom(1, 60, DAY, 10 * DAY, 20 * DAY, -1, -60, -DAY, -10 * DAY),
  }),
  pull: fc.record({ do: fc.constant('pull'), by, tag, wait: fc.constantFrom(...WAITS) }),
};

export const ALL: Weights = {
  publish: 4,
  sign: 4,
  revoke: 3,
  rotate: 4,
  rewrap: 2,
  'add key': 2,
  'remove delegation': 1,
  'add delegation': 1,
  renew: 1,
  heal: 3,
  release: 2,
  'remove state': 1,
  lag: 4,
  'roll back': 1,
  hide: 1,
  'old file': 1,
  'old keys': 1,
  fault: 4,
  hold: 2,
  reload: 2,
  restart: 2,
  clock: 2,
  pull: 20,
};

export const MOST_STEPS = 30;

/** @param isAlone one process only */
export function sequences(weights: Weights, isAlone = false): fc.Arbitrary<readonly Step[]> {
  const kinds = (Object.keys(weights) as Name[]).map((name) => ({
    weight: weights[name] ?? 0,
    arbitrary: KINDS[name],
  }));
  const toAlone = (step: Step): Step => ('by' in step ? { ...step, by: 'A' } : step);
  const step = isAlone ? fc.oneof(...kinds).map(toAlone) : fc.oneof(...kinds);
  return fc.array(step, { minLength: 1, maxLength: MOST_STEPS, size: 'max' });
}

/** One line for a person. */
export function describe(step: Step): string {
  const { do: what, ...rest } = step;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [what, ...details].join(', ');
}
