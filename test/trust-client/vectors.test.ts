/** Metadata written by the real Notary programs (test/vectors/notary, each with its PROVENANCE.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { TrustSource, VerifiedTrust } from '../../proxy/trust-client/types.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { wireName } from '../simulators/simulated-source.ts';
import { FIRST_USE, refusal } from './kit.ts';

const FOLDER = join(import.meta.dirname, '../vectors/notary');
const DOCKER_ROLES = ['targets/releases', 'targets'];

type Case = { readonly gun: Gun; readonly madeAt: string };
type Listed = {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly role: string;
};

function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(FOLDER, ...path), 'utf8')) as T;
}

/** Serves a case's files as the server did: the current ones by role or by hash, roots by version. */
function sourceOf(name: string): TrustSource {
  return {
    fetch: async (_gun, file) => {
      const served = file.version === undefined ? file.role : wireName(file);
      try {
        return readFileSync(join(FOLDER, name, `${served}.json`));
      } catch {
        return undefined;
      }
    },
  };
}

function resolve(name: string, at?: Date): Promise<VerifiedRepository> {
  const { gun, madeAt } = readJson<Case>(name, 'case.json');
  const request = { gun, pin: FIRST_USE, now: at ?? new Date(madeAt), signal: new AbortController().signal };
  return updateTrust({ source: sourceOf(name), state: createMemoryState() }, request);
}

function listing(trust: VerifiedTrust, at: Date): readonly Listed[] {
  return trust.tags(at).flatMap((name) => {
    const target = trust.target(name, at);
    return target ? [{ name, digest: target.digest.slice(7), size: target.length, role: target.role }] : [];
  });
}

describe.each(readdirSync(FOLDER))('%s', (name) => {
  const { madeAt } = readJson<Case>(name, 'case.json');
  const at = new Date(madeAt);

  test('gives what Docker would take from "notary list", digest by digest', async () => {
    const listed = readJson<Listed[]>(name, 'list-docker-order.json');
    const expected = listed.filter(({ role }) => DOCKER_ROLES.includes(role));
    expect(expected.length).toBeGreaterThan(0);
    expect(listing(await resolve(name), at)).toEqual(
      [...expected].sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  });

  test('is refused once its timestamp has expired', async () => {
    await refusal(resolve(name, new Date(at.getTime() + 15 * 86_400_000)), 'metadata_expired');
  });
});

test('signers are the delegations that hold the same digest, as "docker trust inspect" shows them', async () => {
  const name = 'docker-trust-signer';
  const at = new Date(readJson<Case>(name, 'case.json').madeAt);
  const trust = await resolve(name);
  type Inspected = { SignedTags: { SignedTag: string; Digest: string; Signers: string[] }[] };
  const inspected = readJson<Inspected>(name, 'inspect.json');
  const expected = inspected.SignedTags.map(({ SignedTag, Digest, Signers }) => ({
    tag: SignedTag,
    digest: Digest,
    signers: Signers.filter((signer) => signer !== 'Repo Admin').sort(),
  }));
  const ours = trust.tags(at).map((tag) => {
    const target = trust.target(tag, at);
    return { tag, digest: target?.digest.slice(7), signers: target?.signers };
  });
  expect(ours).toEqual(expected.sort((a, b) => (a.tag < b.tag ? -1 : 1)));
});
