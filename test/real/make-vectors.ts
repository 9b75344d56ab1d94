/**
 * Makes `test/vectors/notary/` anew with the real programs. No test by its name; run it by hand:
 * `npm run --silent jest -- --testMatch '**\/test/real/make-vectors.ts'`
 */
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { DOCKER_ORDER, NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir } from './process.ts';
import { startRegistry } from './registry.ts';

const VECTORS = join(import.meta.dirname, '..', 'vectors', 'notary');
const VERSIONS = 'notary 0.7.0+ds1, docker-registry 2.8.2, docker.io 20.10.24 (Debian 12)';

const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');

describeReal(
  'vectors',
  ['notary-server', 'notary', 'openssl', 'docker-registry', 'dockerd', 'docker'],
  () => {
    let server: NotaryServer;

    beforeAll(async () => {
      server = await startNotaryServer();
    }, SETUP_TIMEOUT);

    test('docker-trust-signer', async () => {
      const [registry, daemon] = await Promise.all([startRegistry(), startDockerd()]);
      const docker = await DockerClient.create({ host: daemon.host, trust: server });
      const gun = `${registry.address}/admin/demo`;
      await docker.importImage(`${gun}:1`, 'first');
      await docker.importImage(`${gun}:2`, 'second');
      for (const signer of ['jeff', 'ana']) {
        await docker.trustSignerAdd(signer, await docker.trustKeyGenerate(signer), gun);
        await docker.trustSign(`${gun}:${signer === 'jeff' ? 1 : 2}`);
      }
      const inspected = JSON.stringify(await docker.trustInspect(gun), undefined, 2);
      await save(server, 'docker-trust-signer', gun, [
        `docker trust key generate jeff; docker trust signer add --key jeff.pub jeff ${gun}`,
        `docker trust sign ${gun}:1`,
        `docker trust key generate ana; docker trust signer add --key ana.pub ana ${gun}`,
        `docker trust sign ${gun}:2   # this client holds both keys: signed by jeff and by ana`,
        `docker trust inspect ${gun}   # inspect.json`,
      ]);
      await writeFile(join(VECTORS, 'docker-trust-signer', 'inspect.json'), `${inspected}\n`);
    });

    test('notary-cli-ecdsa-clientsnapshot', async () => {
      const notary = await NotaryClient.create(server);
      const gun = 'registry.test/team/plain';
      const file = join(await makeTempDir('target'), 'artefact');
      await writeFile(file, 'artefact');
      await notary.init(gun);
      await notary.addHash(gun, '1.0', 523, digestOf('1.0'));
      await notary.add(gun, 'artefact', file);
      await notary.addHash(gun, 'gone', 523, digestOf('gone'));
      await notary.remove(gun, 'gone');
      await save(server, 'notary-cli-ecdsa-clientsnapshot', gun, [
        `notary init -p ${gun}`,
        `notary addhash -p ${gun} 1.0 523 --sha256 …`,
        `notary add -p ${gun} artefact FILE   # sha256 and sha512`,
        `notary addhash -p ${gun} gone 523 --sha256 …; notary remove -p ${gun} gone`,
      ]);
    });

    test('rsa-x509-root', async () => {
      const notary = await NotaryClient.create(server);
      const gun = 'registry.test/team/rsa';
      await notary.init(gun, { root: 'rsa', ownCertificate: true });
      await notary.rotate(gun, 'snapshot', { serverManaged: true });
      await notary.addHash(gun, '1.0', 523, digestOf('1.0'));
      await save(server, 'rsa-x509-root', gun, [
        `openssl req -x509 -newkey rsa:2048 -subj /CN=${gun} -addext basicConstraints=critical,CA:FALSE …`,
        'openssl rsa -traditional -aes256 …   # the root key in the form notary takes',
        `notary init -p ${gun} --rootkey KEY --rootcert CERT`,
        `notary key rotate ${gun} snapshot -r`,
        `notary addhash -p ${gun} 1.0 523 --sha256 …`,
      ]);
    });

    test('x509-delegation-paths', async () => {
      const notary = await NotaryClient.create(server);
      const gun = 'registry.test/team/delegated';
      await notary.init(gun);
      const [qa, releases, nightly] = [
        await notary.createSigner('qa', 'rsa'),
        await notary.createSigner('releases', 'ecdsa'),
        await notary.createSigner('nightly', 'ecdsa'),
      ];
      await notary.addDelegation(gun, 'targets/qa', [qa.certFile], ['v1', 'rel-']);
      await notary.addDelegation(gun, 'targets/releases', [releases.certFile]);
      await notary.addDelegation(gun, 'targets/qa/nightly', [nightly.certFile], ['rel-nightly-']);
      await notary.addHash(gun, 'v1', 523, digestOf('v1 by qa'), { roles: ['targets/qa'] });
      await notary.addHash(gun, 'v1', 524, digestOf('v1 by releases'), { roles: ['targets/releases'] });
      await notary.addHash(gun, 'rel-7', 523, digestOf('rel-7'), {
        roles: ['targets/qa', 'targets/releases'],
      });
      await notary.addHash(gun, 'rel-nightly-1', 523, digestOf('nightly'), { roles: ['targets/qa/nightly'] });
      await notary.addHash(gun, 'v1', 525, digestOf('v1 by targets'));
      await save(server, 'x509-delegation-paths', gun, [
        `notary init -p ${gun}`,
        `notary delegation add -p ${gun} targets/qa qa.crt --paths v1 --paths rel-   # RSA certificate`,
        `notary delegation add -p ${gun} targets/releases releases.crt --all-paths   # ECDSA certificate`,
        `notary delegation add -p ${gun} targets/qa/nightly nightly.crt --paths rel-nightly-   # ECDSA certificate`,
        `notary addhash -p ${gun} v1 523 --sha256 … --roles targets/qa`,
        `notary addhash -p ${gun} v1 524 --sha256 … --roles targets/releases   # another digest`,
        `notary addhash -p ${gun} rel-7 523 --sha256 … --roles targets/qa --roles targets/releases`,
        `notary addhash -p ${gun} rel-nightly-1 523 --sha256 … --roles targets/qa/nightly`,
        `notary addhash -p ${gun} v1 525 --sha256 …   # a third digest, in targets`,
      ]);
    });

    test('rotated-all-keys', async () => {
      const notary = await NotaryClient.create(server);
      const gun = 'registry.test/team/rotated';
      await notary.init(gun);
      await notary.addHash(gun, 'before', 523, digestOf('before'));
      await notary.rotate(gun, 'root');
      await notary.rotate(gun, 'targets');
      await notary.rotate(gun, 'snapshot');
      await notary.rotate(gun, 'snapshot', { serverManaged: true });
      await notary.rotate(gun, 'timestamp', { serverManaged: true });
      await notary.rotate(gun, 'root', { keyFile: await notary.createRsaKey() });
      await notary.rotate(gun, 'root', { legacy: 1 });
      await notary.addHash(gun, 'after', 523, digestOf('after'));
      await save(server, 'rotated-all-keys', gun, [
        `notary init -p ${gun}; notary addhash -p ${gun} before 523 --sha256 …   # root version 1`,
        `notary key rotate ${gun} root   # 2`,
        `notary key rotate ${gun} targets   # 3`,
        `notary key rotate ${gun} snapshot   # 4, still with the client`,
        `notary key rotate ${gun} snapshot -r   # 5, now with the server`,
        `notary key rotate ${gun} timestamp -r   # 6`,
        `notary key rotate ${gun} root -k RSA   # 7, rsa-x509`,
        `notary key rotate ${gun} root -l 1   # 8, ecdsa-x509 again, signed by the root before the last one too`,
        `notary addhash -p ${gun} after 523 --sha256 …`,
      ]);
    });
  },
);

/** Writes every file the server has for a repository, byte for byte, and what `notary list` says about it. */
async function save(
  server: NotaryServer,
  name: string,
  gun: string,
  commands: readonly string[],
): Promise<void> {
  const folder = join(VECTORS, name);
  await rm(folder, { recursive: true, force: true });
  const fresh = await NotaryClient.create(server);
  await writeJson(folder, 'list.json', await fresh.list(gun));
  await writeJson(folder, 'list-docker-order.json', await fresh.list(gun, DOCKER_ORDER));
  const snapshot = await fetchAll(server, gun, folder);
  const madeAt = new Date().toISOString();
  await writeJson(folder, 'case.json', { gun, madeAt });
  await writeFile(join(folder, 'PROVENANCE.md'), describeCase(name, gun, madeAt, commands, snapshot));
}

async function fetchAll(server: NotaryServer, gun: string, folder: string): Promise<readonly string[]> {
  const { body } = await server.fetchFile(gun, 'snapshot.json');
  const roles = Object.keys((JSON.parse(body.toString()) as { signed: { meta: object } }).signed.meta);
  const names = ['timestamp', 'snapshot', ...roles];
  for (const role of names) await saveFile(server, gun, folder, `${role}.json`);
  for (let version = 1; await saveFile(server, gun, folder, `${version}.root.json`); version += 1);
  return names;
}

async function saveFile(server: NotaryServer, gun: string, folder: string, file: string): Promise<boolean> {
  const { status, body } = await server.fetchFile(gun, file);
  if (status === 404) return false;
  if (status !== 200) throw new Error(`${gun} ${file}: ${status}`);
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), body);
  return true;
}

async function writeJson(folder: string, file: string, value: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, file), `${JSON.stringify(value, undefined, 2)}\n`);
}

function describeCase(
  name: string,
  gun: string,
  madeAt: string,
  commands: readonly string[],
  roles: readonly string[],
): string {
  return [
    `# ${name}`,
    '',
    `Written by ${VERSIONS} for the GUN \`${gun}\`, and fetched from notary-server byte for byte at ${madeAt};`,
    'tests take that time as their clock (the timestamp expires 14 days after it was signed). Made by',
    '`test/real/make-vectors.ts`, which ran:',
    '',
    '```sh',
    ...commands,
    '```',
    '',
    `Roles: ${roles.join(', ')}; every root version as \`N.root.json\`. \`case.json\`: GUN and clock. \`list.json\`: what`,
    '`notary list GUN` of a client without state said. `list-docker-order.json`: the same with',
    '`--roles targets/releases --roles targets`, the order in which the Docker CLI looks a tag up;',
    'it refuses an entry of any third role (`targets` brings its delegations along).',
    '',
  ].join('\n');
}
