/**
 * Every role × every corruption × every attacker × {no state, same state, newer state} → the expected outcome.
 *
 * The corruptions are proxy/demo/corruptions/, what is wrong with each is corrupter-findings.ts, and how that turns
 * into an outcome is corrupter-rules.ts.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { CORRUPTIONS, corrupt } from '../simulators/corrupter.ts';
import { attackersOf, rolesOf } from '../simulators/corruptions/types.ts';
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
import { createVictim, digestsOf, resolveVictim, SIGNED } from './victim.ts';

/** What is remembered in each state. */
const remembered = new Map<State, StoredTrust | undefined>();

beforeAll(async () => {
  remembered.set('same', (await resolveVictim(createVictim(SERVED_VERSION))).stored);
  remembered.set('newer', (await resolveVictim(createVictim(NEWER_VERSION))).stored);
});

const ROWS: readonly Row[] = CORRUPTIONS.flatMap((corruption) =>
  rolesOf(corruption).flatMap((role) =>
    attackersOf(corruption, role).flatMap((attacker) =>
      STATES.map((state) => ({ corruption, role, attacker, state })),
    ),
  ),
);

function accepted(trust: VerifiedRepository): object {
  return { outcome: 'accepted', digests: digestsOf(trust) };
}

function describeExpected(outcome: Outcome): object {
  if (outcome.kind === 'refused') {
    const { code, fault, at } = outcome;
    return { outcome: 'refused', code, fault, ...(at === undefined ? {} : { at }) };
  }
  const { unsigned } = outcome;
  return {
    outcome: 'accepted',
    digests: unsigned === undefined ? SIGNED : { ...SIGNED, [unsigned]: 'not signed' },
  };
}

async function observe(repository: SimulatedRepository, state: State): Promise<object> {
  try {
    return accepted((await resolveVictim(repository, remembered.get(state))).trust);
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
    expect(accepted((await resolveVictim(createVictim(SERVED_VERSION))).trust)).toEqual(
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
