/**
 * Single-byte change: whatever byte of whatever file is another, the answer is a refusal or the very same answer.
 *
 * `transit` changes the bytes alone; `server` also lets every file above name the changed one, so that the hash
 * catches nothing and the parser and the signature must.
 */
import { describe, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { Random } from '../fuzz/random.ts';
import { createVictim, digestsOf, resolveVictim, SIGNED } from '../trust-client/victim.ts';

const SAMPLES = 300;
const STRUCTURAL = new Set(Buffer.from('{}[],:"\\'));
const REPLACEMENTS = Buffer.from([...Buffer.from('{}[],:"\\ 09-.eE\n'), 0, 0x7f, 0x80, 0xff]);

/** Every structural byte, and 300 more (all, where there are fewer). */
function positionsIn(bytes: Uint8Array, random: Random): readonly number[] {
  const chosen = new Set([...bytes.keys()].filter((at) => STRUCTURAL.has(bytes[at] ?? 0)));
  const wanted = Math.min(bytes.length, chosen.size + SAMPLES);
  while (chosen.size < wanted) chosen.add(random.below(bytes.length));
  return [...chosen].sort((a, b) => a - b);
}

/** One bit turned round, or another byte altogether. */
function changed(bytes: Uint8Array, at: number, random: Random): Uint8Array {
  const copy = Buffer.from(bytes);
  const before = copy[at] ?? 0;
  const other = REPLACEMENTS[random.below(REPLACEMENTS.length)] ?? 0;
  copy[at] = random.once(2) || other === before ? before ^ (1 << random.below(8)) : other;
  return copy;
}

async function outcomeWith(repository: ReturnType<typeof createVictim>): Promise<object | 'refused'> {
  try {
    return digestsOf((await resolveVictim(repository)).trust);
  } catch (error) {
    if (error instanceof TrustError) return 'refused';
    throw error;
  }
}

describe.each(['root', 'timestamp', 'snapshot', 'targets', 'targets/releases'])('in %s', (role) => {
  const honest = createVictim(5).files.get(role) ?? Buffer.alloc(0);

  test.each(['transit', 'server'])('by %s', async (attacker) => {
    const random = new Random(20261121);
    const repository = createVictim(5);
    const original = new Map(repository.files);
    const lost = { ...SIGNED, '1.0': 'not signed' };
    // The server may make a delegation's signature worthless: then its tags are unsigned, and nothing else changes.
    const allowed = role === 'targets/releases' && attacker === 'server' ? [SIGNED, lost] : [SIGNED];
    for (const at of positionsIn(honest, random)) {
      const bytes = changed(honest, at, random);
      repository.files.clear();
      for (const [name, file] of original) repository.files.set(name, file === honest ? bytes : file);
      if (attacker === 'server') repository.replaceFile(role, bytes);
      const outcome = await outcomeWith(repository);
      if (outcome !== 'refused')
        expect({ at, outcome: allowed }).toEqual({ at, outcome: expect.arrayContaining([outcome]) });
    }
  });
});
