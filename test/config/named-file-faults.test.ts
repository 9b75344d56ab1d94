/** Why a file that the configuration names cannot be used, and what to do about it. */
import { afterAll, expect, test } from '@jest/globals';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { fileFault } from '../../proxy/config/named-files.ts';
import { POLICY, REGISTRIES, removeFolders, write, writeConfig } from './scratch.ts';

afterAll(removeFolders);

const caused = (code: string) => Object.assign(new Error(code), { code });

test.each([
  [
    'ENOENT',
    './a.crt',
    'there is no file "./a.crt": looked for "/etc/p/a.crt", relative to the folder of the configuration file',
    'create it, or correct the path',
  ],
  [
    'ENOTDIR',
    './a.crt',
    'there is no file "./a.crt": looked for "/etc/p/a.crt", relative to the folder of the configuration file',
    'create it, or correct the path',
  ],
  ['ENOENT', '/etc/p/a.crt', 'there is no file "/etc/p/a.crt"', 'create it, or correct the path'],
  [
    'EACCES',
    './a.crt',
    'the file "./a.crt" cannot be read: permission denied',
    'make "/etc/p/a.crt" readable, or correct the path',
  ],
  [
    'EIO',
    './a.crt',
    'the file "./a.crt" cannot be read: EIO',
    'make "/etc/p/a.crt" readable, or correct the path',
  ],
  ['EISDIR', './a.crt', 'the file "./a.crt" cannot be read: it is a folder', 'name a file'],
])('%s of %s', (code, name, what, next) => {
  expect(fileFault(caused(code), name, '/etc/p/a.crt')).toEqual({ kind: 'fault', what, next });
});

test('a file that is too long for what it is named as', async () => {
  const path = writeConfig(REGISTRIES.replace('aliases: [index.docker.io]', 'ca: ./large.crt') + POLICY);
  write(path.replace('/pullwarden.yaml', ''), 'large.crt', Buffer.alloc(1024 * 1024 + 1));
  await expect(loadConfig(path)).rejects.toMatchObject({
    faults: [
      {
        path: 'registries[0].ca',
        what: 'the file "./large.crt" cannot be read: longer than 1048576 bytes',
        next: 'name the right file',
      },
    ],
  });
});

test('the whole path is shown, however long', () => {
  const file = `/etc/${'long/'.repeat(40)}a.crt`;
  expect(fileFault(caused('ENOENT'), './a.crt', file).what).toContain(`"${file}"`);
  expect(fileFault(caused('EACCES'), './a.crt', file).next).toContain(`"${file}"`);
});

test('a folder of the state that cannot be one, as a file is in its way', async () => {
  const path = writeConfig(`${REGISTRIES}trust: { state: { kind: file, path: ./taken/state } }\n${POLICY}`);
  await expect(loadConfig(path)).resolves.toMatchObject({ trust: { state: { kind: 'file' } } });
  const taken = write(path.replace('/pullwarden.yaml', ''), 'taken', '');
  await expect(loadConfig(path)).rejects.toMatchObject({
    faults: [
      {
        path: 'trust.state.path',
        what: `"${taken}" is a file where a folder is expected`,
        next: 'name a folder; it is created if it does not exist',
      },
    ],
  });
});
