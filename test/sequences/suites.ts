/** Which steps are mixed: all of them, and a few at a time, where what goes wrong needs few kinds of step but in order. */
import { ALL, type Weights } from './steps.ts';

export type Suite = {
  readonly name: string;
  readonly weights: Weights;
  /** Of all sequences of a run, in percent. */
  readonly share: number;
  /** With one process only. */
  readonly isAlone?: true;
};

const OWNER: Weights = { publish: 4, sign: 2, revoke: 2 };

export const EVERYTHING: Suite = { name: 'everything', weights: ALL, share: 50 };

export const SUITES: readonly Suite[] = [
  EVERYTHING,
  {
    name: 'a server with the online keys hides a role',
    weights: { ...OWNER, hide: 3, 'old file': 1, heal: 1, restart: 1, pull: 8 },
    share: 7,
  },
  {
    name: 'keys are replaced, and the old ones come back',
    isAlone: true,
    weights: {
      ...OWNER,
      rotate: 4,
      'old keys': 1,
      lag: 3,
      'roll back': 2,
      fault: 3,
      heal: 2,
      restart: 1,
      pull: 8,
    },
    share: 8,
  },
  {
    name: 'a flight is overtaken by a reload',
    isAlone: true,
    weights: { ...OWNER, hold: 3, release: 2, reload: 3, restart: 2, 'roll back': 3, heal: 2, pull: 8 },
    share: 8,
  },
  {
    name: 'a threshold is raised, a key gets another certificate',
    isAlone: true,
    weights: { publish: 6, 'add key': 4, rewrap: 2, 'old file': 4, pull: 8 },
    share: 7,
  },
  {
    name: 'an old file under new keys',
    weights: { publish: 3, sign: 3, rotate: 6, 'old file': 4, hide: 2, heal: 1, restart: 1, pull: 8 },
    share: 5,
  },
  {
    name: 'a replica is behind',
    isAlone: true,
    weights: { ...OWNER, rotate: 2, lag: 4, heal: 1, clock: 1, restart: 1, pull: 10 },
    share: 5,
  },
  {
    name: 'two processes on one state',
    weights: {
      ...OWNER,
      rotate: 1,
      lag: 2,
      'roll back': 1,
      fault: 1,
      heal: 2,
      hold: 1,
      release: 1,
      pull: 10,
    },
    share: 5,
  },
  {
    name: 'the state is removed under the running proxy',
    isAlone: true,
    weights: { ...OWNER, 'remove state': 3, 'roll back': 3, heal: 1, restart: 1, pull: 8 },
    share: 5,
  },
];
