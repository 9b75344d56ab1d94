/** What is read of delegations whose keys were replaced before the new ones signed anything (replaced.ts). */
import { expect, test } from '@jest/globals';
import type { DelegatedRole } from '../../proxy/trust-client/metadata.ts';
import { permittedBy, RELEASES, readReplaced } from '../../proxy/trust-client/replaced.ts';
import type { CheckFile, VerifiedDelegation } from '../../proxy/trust-client/verified.ts';

const declared = (name: string, paths = ['']): DelegatedRole => ({ name, keys: [], threshold: 2, paths });

/** Reads what is remembered: by role, the delegations that its file declares. */
async function readFrom(
  remembered: Readonly<Record<string, readonly DelegatedRole[]>>,
  first: DelegatedRole,
  replaced = new Map<string, VerifiedDelegation>(),
) {
  const checked: object[] = [];
  const check = async (file: Parameters<CheckFile>[0]) => {
    checked.push(file);
    return {
      metadata: { delegations: remembered[file.role] },
      sha256: 'ab',
      content: 'cd',
      signers: ['key'],
    };
  };
  const held = new Map(Object.keys(remembered).map((role) => [role, Buffer.from(role)]));
  await readReplaced(replaced, held, check as unknown as CheckFile, first);
  return { replaced, checked };
}

test('the file of targets/releases is read with no keys, as one that proves nothing', async () => {
  const { replaced, checked } = await readFrom({ [RELEASES]: [] }, declared(RELEASES, ['v1']));
  const bytes = Buffer.from(RELEASES);
  expect(checked).toEqual([
    { kind: 'remembered', role: RELEASES, bytes, keys: { keys: [], threshold: 1 }, meta: undefined },
  ]);
  expect(replaced.get(RELEASES)).toMatchObject({
    role: RELEASES,
    bytes,
    keys: { keys: [], threshold: 2 },
    sha256: 'ab',
    content: 'cd',
    signers: ['key'],
    paths: ['v1'],
  });
});

test.each(['targets/qa', 'targets/releases-2', 'targets/qa/releases'])(
  'the file of %s is not: it is not looked up before targets',
  async (role) => {
    expect((await readFrom({ [role]: [] }, declared(role))).checked).toEqual([]);
  },
);

test('of what is not remembered nothing is read', async () => {
  const { replaced, checked } = await readFrom({}, declared(RELEASES));
  expect([checked, replaced.size]).toEqual([[], 0]);
});

test('what is below is read to the end, with the paths that all above it may sign', async () => {
  const [a, b] = [`${RELEASES}/a`, `${RELEASES}/a/b`];
  const { replaced } = await readFrom(
    { [RELEASES]: [declared(a, ['v1.', 'v2', 'w'])], [a]: [declared(b, ['v1.0', 'v3'])], [b]: [] },
    declared(RELEASES, ['v']),
  );
  expect([...replaced].map(([role, { paths }]) => [role, paths])).toEqual([
    [RELEASES, ['v']],
    [a, ['v1.', 'v2']],
    [b, ['v1.0']],
  ]);
});

test('one below that is not remembered, or was read already, is passed over, and those after it are read', async () => {
  const [absent, known, last] = ['absent', 'known', 'last'].map((name) => `${RELEASES}/${name}`) as [
    string,
    string,
    string,
  ];
  const before = new Map([[known, {} as VerifiedDelegation]]);
  const { replaced, checked } = await readFrom(
    { [RELEASES]: [declared(absent), declared(known), declared(last)], [known]: [], [last]: [] },
    declared(RELEASES),
    before,
  );
  expect(checked).toMatchObject([{ role: RELEASES }, { role: last }]);
  expect([...replaced.keys()]).toEqual([known, RELEASES, last]);
});

test('a path is permitted where one of the parent’s begins it', () => {
  const parent = { paths: ['v1', 'w/'] } as unknown as VerifiedDelegation;
  const paths = ['v1', 'v1.0', 'v', 'w', 'w/x', 'xv1'];
  expect(permittedBy(parent, declared('targets/a', paths))).toEqual(['v1', 'v1.0', 'w/x']);
});
