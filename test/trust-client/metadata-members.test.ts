/** Members of metadata files: who knows which names, spelled how (notary-semantics.md §3.3, §5.1). */
import { describe, expect, test } from '@jest/globals';
import { at, KINDS, type Kind, type Plain, parse, plainFile } from './plain-files.ts';

const INVALID = { code: 'metadata_invalid', fault: 'format' };
const COMMON = ['_type', 'expires', 'version'];
const META = ['custom', 'hashes', 'length'];
const ROLE = ['keyids', 'threshold'];

/** Every object of known members, and those members. Paths go through names that hold no dot. */
const KNOWN: readonly (readonly [kind: Kind, path: string, members: readonly string[]])[] = [
  ['root', 'signed', [...COMMON, 'consistent_snapshot', 'keys', 'roles']],
  ...KINDS.map((name) => ['root', `signed.roles.${name}`, ROLE] as const),
  ['root', 'signed.keys.*', ['keytype', 'keyval']],
  ['root', 'signed.keys.*.keyval', ['private', 'public']],
  ['timestamp', 'signed', [...COMMON, 'meta']],
  ['timestamp', 'signed.meta.snapshot', META],
  ['snapshot', 'signed', [...COMMON, 'meta']],
  ['snapshot', 'signed.meta.root', META],
  ['snapshot', 'signed.meta.targets', META],
  ['snapshot', 'signed.meta.targets/qa', META],
  ['targets', 'signed', [...COMMON, 'delegations', 'targets']],
  ['targets', 'signed.targets.*', META],
  ['targets', 'signed.delegations', ['keys', 'roles']],
  ['targets', 'signed.delegations.keys.*', ['keytype', 'keyval']],
  ['targets', 'signed.delegations.keys.*.keyval', ['private', 'public']],
  ['targets', 'signed.delegations.roles.0', [...ROLE, 'name', 'paths']],
];

/** `*` stands for the only member. */
function objectAt(file: Plain, path: string): Plain {
  return path.split('.*').reduce((object, rest, index) => {
    const entered = index === 0 ? object : (Object.values(object)[0] as Plain);
    return at(entered, rest.replace(/^\./, ''));
  }, file);
}

/** What Go's decoder takes for the same name: other cases, and the two letters that fold into ASCII. */
function spellings(name: string): readonly string[] {
  const all = [
    name.toUpperCase(),
    name.replace(/[a-z]/, (letter) => letter.toUpperCase()),
    name.replace('s', '\u017f'),
    name.replace('k', '\u212a'),
  ];
  return [...new Set(all)].filter((spelling) => spelling !== name);
}

describe.each(KNOWN)('%s: %s', (kind, path, members) => {
  const rows = members.flatMap((member) => spellings(member).map((spelling) => [member, spelling] as const));

  test('every member there is', () => {
    const file = plainFile(kind);
    expect(Object.keys(objectAt(file, path)).sort()).toEqual([...members].sort());
    expect(parse(kind, file)).toBeDefined();
  });

  test('a member that differs from a known one only in case is refused, beside it and in its place', () => {
    for (const [member, spelling] of rows) {
      for (const isBeside of [true, false]) {
        const file = plainFile(kind);
        const object = objectAt(file, path);
        object[spelling] = object[member];
        if (!isBeside) delete object[member];
        expect([spelling, refusalOf(() => parse(kind, file))]).toMatchObject([
          spelling,
          { ...INVALID, role: kind },
        ]);
      }
    }
  });

  test('a member that nobody knows is ignored, as it is signed', () => {
    const file = plainFile(kind);
    const expected = parse(kind, plainFile(kind));
    Object.assign(objectAt(file, path), { 'x-note': 1, [`${members[0]}s`]: null });
    expect(parse(kind, file)).toEqual(expected);
  });
});

describe('what is not signed may hold no member but the known ones', () => {
  test.each([
    ['', 'note'],
    ['', 'Signed'],
    ['signatures.0', 'note'],
    ['signatures.0', 'KeyID'],
  ])('%s: %s', (path, name) => {
    const file = plainFile('timestamp');
    at(file, path)[name] = 'x';
    expect(refusalOf(() => parse('timestamp', file))).toMatchObject({ ...INVALID, role: 'timestamp' });
  });
});

describe('a file of another type is refused, whoever signed it', () => {
  test.each(KINDS)('%s', (kind) => {
    for (const type of ['Root', 'Timestamp', 'Snapshot', 'Targets', kind, '', null, undefined]) {
      const file = plainFile(kind);
      if (at(file, 'signed')['_type'] === type) continue;
      at(file, 'signed')['_type'] = type;
      expect([type, refusalOf(() => parse(kind, file))]).toMatchObject([type, { ...INVALID, role: kind }]);
    }
  });
});

describe('members of the wrong kind, or missing where they are needed', () => {
  test.each<[Kind, string, string, readonly unknown[]]>([
    ['root', '', 'signed', [undefined, null, [], 'x']],
    ['root', '', 'signatures', [undefined, null, {}, 'x']],
    ['root', 'signatures.0', 'keyid', [undefined, 1]],
    ['root', 'signatures.0', 'method', [undefined, 1]],
    ['root', 'signatures.0', 'sig', [undefined, 1]],
    ['root', 'signed', 'expires', [undefined, 1, '', '2030-01-01', '2030-02-30T00:00:00Z']],
    ['root', 'signed', 'version', [undefined, '1', 0, -1, null]],
    ['root', 'signed', 'keys', [undefined, []]],
    ['root', 'signed', 'roles', [undefined, []]],
    ['root', 'signed.roles', 'timestamp', [undefined, []]],
    ['root', 'signed.roles.timestamp', 'threshold', [undefined, '1', 0, -1]],
    ['root', 'signed.roles.timestamp', 'keyids', [undefined, {}, [1], ['0'.repeat(64)]]],
    ['timestamp', 'signed', 'meta', [undefined, []]],
    ['timestamp', 'signed.meta', 'snapshot', [undefined, []]],
    ['timestamp', 'signed.meta.snapshot', 'hashes', [undefined, []]],
    ['timestamp', 'signed.meta.snapshot', 'length', [undefined, '7', -1]],
    ['timestamp', 'signed.meta.snapshot.hashes', 'sha256', [undefined, 1, 'AAAA', '*']],
    ['timestamp', 'signed.meta.snapshot.hashes', 'sha512', [1, 'AAAA', '*']],
    ['snapshot', 'signed.meta', 'root', [undefined, []]],
    ['snapshot', 'signed.meta', 'targets', [undefined, []]],
    ['snapshot', 'signed.meta.root.hashes', 'sha256', [undefined]],
    ['snapshot', 'signed.meta.targets.hashes', 'sha256', [undefined]],
    ['snapshot', 'signed.meta.targets/qa.hashes', 'sha256', ['AAAA']],
    ['targets', 'signed', 'targets', [undefined, []]],
    [
      'targets',
      'signed.targets',
      '1',
      [[], { hashes: {} }, { length: 1 }, { hashes: { sha256: 1 }, length: 1 }],
    ],
    ['targets', 'signed', 'delegations', [[], 'x']],
    ['targets', 'signed.delegations', 'keys', [[], 'x']],
    ['targets', 'signed.delegations', 'roles', [{}, 'x', [1]]],
    ['targets', 'signed.delegations.roles.0', 'paths', [{}, [1]]],
    [
      'targets',
      'signed.delegations.roles.0',
      'name',
      [undefined, 'targets', 'targets/a/b', 'root/a', 'targets/A'],
    ],
    ['targets', 'signed.delegations.roles.0', 'threshold', [0]],
  ])('%s: %s %s', (kind, path, name, values) => {
    for (const value of values) {
      const file = plainFile(kind);
      at(file, path)[name] = value;
      expect([value, refusalOf(() => parse(kind, file))]).toMatchObject([value, { ...INVALID, role: kind }]);
    }
  });

  test('a number that cannot be signed, wherever it stands', () => {
    const file = plainFile('targets');
    at(file, 'signed')['x-note'] = 1.5;
    expect(refusalOf(() => parse('targets', file))).toMatchObject({ ...INVALID, role: 'targets' });
  });
});

describe('members that may be missing', () => {
  test.each([undefined, null])('delegations of %s are none', (delegations) => {
    const file = plainFile('targets');
    at(file, 'signed')['delegations'] = delegations;
    expect(parse('targets', file).delegations).toEqual([]);
  });

  test.each([undefined, null])('delegations whose keys and roles are %s are none', (empty) => {
    const file = plainFile('targets');
    at(file, 'signed')['delegations'] = { keys: empty, roles: empty };
    expect(parse('targets', file).delegations).toEqual([]);
  });

  test.each([undefined, null])('a delegation whose paths are %s has none', (empty) => {
    const file = plainFile('targets');
    at(file, 'signed.delegations.roles.0')['paths'] = empty;
    expect(parse('targets', file).delegations).toMatchObject([{ name: 'targets/qa', paths: [] }]);
  });

  test('the sha256 of a target or of a delegation: what has none is known, and has none', () => {
    const targets = plainFile('targets');
    at(targets, 'signed.targets')['2'] = { hashes: {}, length: 0 };
    const table = parse('targets', targets).targets;
    const found = table.find(Buffer.from('2'));
    expect(found).toBeDefined();
    expect(table.digestAt(found ?? 0)).toBeUndefined();
    const snapshot = plainFile('snapshot');
    at(snapshot, 'signed.meta')['targets/qa'] = { hashes: {}, length: 0 };
    expect(parse('snapshot', snapshot).meta.get('targets/qa')).toEqual({
      sha256: undefined,
      sha512: undefined,
      length: 0,
    });
  });

  test('both hashes are read where both are given', () => {
    expect(parse('timestamp', plainFile('timestamp')).snapshot).toEqual({
      sha256: '01'.repeat(32),
      sha512: '02'.repeat(64),
      length: 7,
    });
  });
});

function refusalOf(attempt: () => unknown): unknown {
  try {
    return attempt() && 'accepted';
  } catch (error) {
    return error;
  }
}
