/** Cure53 TUF-01-001: members outside what is signed, which some readers see and others do not. */
import { describe, expect, test } from '@jest/globals';
import { createWorld, digestIn, digestOf, fileOf, refusal } from '../trust-client/kit.ts';

const ROLES = ['root', 'timestamp', 'snapshot', 'targets'];

describe.each(ROLES)('%s', (role) => {
  test.each([
    ['an unknown member beside "signed"', '{"signed":', '{"evil":true,"signed":'],
    ['a second "signed"', '{"signed":', '{"signed":{},"signed":'],
    ['"SIGNED" beside "signed"', '{"signed":', '{"SIGNED":{},"signed":'],
    ['an unknown member in a signature', '{"keyid":', '{"evil":true,"keyid":'],
    ['a second "keyid" in a signature', '{"keyid":', '{"keyid":"","keyid":'],
  ])('%s is refused', async (_what, from, to) => {
    const world = createWorld();
    const text = Buffer.from(fileOf(world, role)).toString();
    // The last match is in the signatures; `signed` stands once, at the beginning.
    const at = text.lastIndexOf(from);
    world.repository.replaceFile(role, Buffer.from(text.slice(0, at) + to + text.slice(at + from.length)));
    const error = await refusal(world.resolve(), 'metadata_invalid', 'format');
    expect(error.role).toBe(role);
  });

  test('an unknown member inside "signed" is signed, and does no harm', async () => {
    const world = createWorld();
    world.repository.resign(role, (signed) => Object.assign(signed, { 'x-note': { a: [1, null] } }));
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });
});

test('the attack of notary-semantics.md §5.1: a second "targets" beside the signed one adds nothing and is refused', async () => {
  const world = createWorld();
  const text = Buffer.from(fileOf(world, 'targets')).toString();
  const evil = `"targets":{"evil":{"hashes":{"sha256":"${'A'.repeat(43)}="},"length":1}},"targets":`;
  world.repository.replaceFile('targets', Buffer.from(text.replace('"targets":', evil)));
  await refusal(world.resolve(), 'metadata_invalid', 'format');
});
