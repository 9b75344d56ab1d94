/**
 * Every role × every corruption × every attacker × {no state, same state, newer state} → the expected outcome.
 *
 * The corruptions are proxy/demo/corruptions/, what is wrong with each is corrupter-findings.ts, and how that turns
 * into an outcome is corrupter-rules.ts.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/memory-state.ts';
import { CORRUPTIONS, corrupt } from '../../proxy/demo/corrupter.ts';
import { attackersOf, rolesOf } from '../../proxy/demo/corruptions/types.ts';
import { SimulatedRepository } from '../../proxy/demo/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/signing-key.ts';
import { SimulatedSource } from '../../proxy/demo/simulated-source.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { NAMED_FINDINGS } from './corrupter-findings.ts';
import {
  NEWER_VERSION,
  type Outcome,
  outcomeOf,
  type Row,
  SERVED_VERSION,
  STATES,
  type State,
} from './corrupter-rules.ts';
import { digestOf, FIRST_USE, GUN, NOW } from './kit.ts';

const KEYS = {
  root: createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW }),
  targets: createSigningKey('ecdsa'),
  snapshot: createSigningKey('ecdsa'),
  timestamp: createSigningKey('ecdsa'),
  releases: createSigningKey('ecdsa'),
};

/** `0.9` is signed in targets, `1.0` in targets/releases; every file has the same version. */
function createVictim(version: number): SimulatedRepository {
  const repository = new SimulatedRepository(GUN, {
    clock: () => NOW,
    rootKey: KEYS.root,
    targetsKey: KEYS.targets,
    snapshotKey: KEYS.snapshot,
    timestampKey: KEYS.timestamp,
  });
  repository.addDelegation('releases', { keys: [KEYS.releases] });
  repository.addTag('0.9', digestOf('b'), 7);
  repository.signAs('releases', '1.0', digestOf('a'), 8);
  for (const role of repository.roleNames()) repository.setVersion(role, version);
  repository.publish();
  return withKnownFiles(repository, version);
}

const publishedFiles = new Map<number, ReadonlyMap<string, Uint8Array>>();

/** ECDSA signatures differ each time; the files that a state remembers must be the very files that are served. */
function withKnownFiles(repository: SimulatedRepository, version: number): SimulatedRepository {
  const known = publishedFiles.get(version) ?? new Map(repository.files);
  publishedFiles.set(version, known);
  repository.files.clear();
  for (const [name, bytes] of known) repository.files.set(name, bytes);
  return repository;
}

async function resolve(
  repository: SimulatedRepository,
  stored?: StoredTrust,
): Promise<{ trust: VerifiedRepository; stored: StoredTrust | undefined }> {
  const state = createMemoryState();
  if (stored !== undefined) await state.save(GUN, stored);
  const request = { gun: GUN, pin: FIRST_USE, now: NOW, signal: new AbortController().signal };
  const trust = await updateTrust({ source: new SimulatedSource(repository), state }, request);
  return { trust, stored: await state.load(GUN) };
}

/** What is remembered in each state. */
const remembered = new Map<State, StoredTrust | undefined>();

beforeAll(async () => {
  remembered.set('same', (await resolve(createVictim(SERVED_VERSION))).stored);
  remembered.set('newer', (await resolve(createVictim(NEWER_VERSION))).stored);
});

const ROWS: readonly Row[] = CORRUPTIONS.flatMap((corruption) =>
  rolesOf(corruption).flatMap((role) =>
    attackersOf(corruption, role).flatMap((attacker) =>
      STATES.map((state) => ({ corruption, role, attacker, state })),
    ),
  ),
);

function accepted(trust: VerifiedRepository): object {
  const digests = ['1.0', '0.9'].map((tag) => trust.target(tag, NOW)?.digest ?? 'not signed');
  return { outcome: 'accepted', digests };
}

function describeExpected(outcome: Outcome): object {
  if (outcome.kind === 'refused') {
    const { code, fault, at } = outcome;
    return { outcome: 'refused', code, fault, ...(at === undefined ? {} : { at }) };
  }
  const digests = [
    outcome.unsigned === '1.0' ? 'not signed' : digestOf('a'),
    outcome.unsigned === '0.9' ? 'not signed' : digestOf('b'),
  ];
  return { outcome: 'accepted', digests };
}

async function observe(repository: SimulatedRepository, state: State): Promise<object> {
  try {
    return accepted((await resolve(repository, remembered.get(state))).trust);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return { outcome: 'refused', code: error.code, fault: error.fault, at: error.role };
  }
}

describe('the corrupter', () => {
  test('has a rule for each corruption and a corruption for each rule', () => {
    expect(CORRUPTIONS.map(({ name }) => name).sort()).toEqual([...NAMED_FINDINGS].sort());
  });

  test('has at least 600 rows', () => {
    expect(ROWS.length).toBeGreaterThanOrEqual(600);
  });

  test('starts from a repository that is accepted as it is', async () => {
    expect(accepted((await resolve(createVictim(SERVED_VERSION))).trust)).toEqual(
      describeExpected({ kind: 'accepted' }),
    );
  });
});

describe.each(CORRUPTIONS.map((corruption) => [corruption.name, corruption] as const))(
  '%s',
  (_, corruption) => {
    const rows = ROWS.filter((row) => row.corruption === corruption);

    test.each(rows.map((row) => [row.role, row.attacker, row.state, row] as const))(
      'of %s, by %s, with state: %s',
      async (role, attacker, state, row) => {
        const { repository, honest, forged } = corrupt(
          () => createVictim(SERVED_VERSION),
          corruption,
          role,
          attacker,
        );
        const expected = outcomeOf(row, { honest: honest.length, forged: forged?.length ?? 0 });
        expect(await observe(repository, state)).toMatchObject(describeExpected(expected));
      },
    );
  },
);
