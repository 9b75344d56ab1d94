import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { ask, reasonOf } from './http.ts';
import { DOCKER_ORDER, NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type RunningProxy, runPullwarden, startProxy, until, writeConfig } from './proxy.ts';

type ServerKeys = 'ed25519' | 'ecdsa';

type Case = {
  readonly root: 'ecdsa' | 'rsa';
  readonly server: ServerKeys;
  readonly delegation: 'docker trust signer add' | 'notary delegation add' | 'notary delegation add --paths';
  readonly snapshot: 'server' | 'client';
};

/** Every pair of values of two columns is in one of them. */
const CASES: readonly Case[] = [
  { root: 'ecdsa', server: 'ed25519', delegation: 'docker trust signer add', snapshot: 'server' },
  { root: 'rsa', server: 'ecdsa', delegation: 'docker trust signer add', snapshot: 'client' },
  { root: 'ecdsa', server: 'ecdsa', delegation: 'notary delegation add', snapshot: 'client' },
  { root: 'rsa', server: 'ed25519', delegation: 'notary delegation add', snapshot: 'server' },
  { root: 'ecdsa', server: 'ed25519', delegation: 'notary delegation add --paths', snapshot: 'client' },
  { root: 'rsa', server: 'ecdsa', delegation: 'notary delegation add --paths', snapshot: 'server' },
];

/** No registry answers here: trust is established, and refused, without one. */
const REGISTRY = { address: 'localhost:5000', url: 'http://127.0.0.1:9' };

/** Part of what `inspect --json` prints. */
type Inspection = {
  readonly roles: readonly {
    readonly role: string;
    readonly version: number;
    readonly keyIds: readonly string[];
    readonly canonicalKeyIds: readonly string[];
  }[];
  readonly signedTags: readonly {
    readonly name: string;
    readonly digest: string;
    readonly length: number;
    readonly role: string;
    readonly signers: readonly string[];
  }[];
};

/** A Notary server, the clients that sign there, and a proxy that remembers what it verified. */
type Site = {
  readonly server: NotaryServer;
  readonly docker: DockerClient;
  readonly notary: NotaryClient;
  readonly proxy: RunningProxy;
  /** A configuration on which nothing is remembered. */
  readonly freshConfig: string;
};

describeReal(
  'inspect agrees with notary list and docker trust inspect',
  ['notary-server', 'notary-signer', 'notary', 'docker', 'openssl'],
  () => {
    const sites = new Map<ServerKeys, Site>();

    beforeAll(async () => {
      for (const keys of ['ed25519', 'ecdsa'] as const) sites.set(keys, await startSite(keys));
    }, SETUP_TIMEOUT);

    describe.each(CASES)(
      'root $root-x509, server keys $server, $delegation, snapshot key with the $snapshot',
      (made) => {
        const gun = `${REGISTRY.address}/team/${CASES.indexOf(made)}`;
        let site: Site;
        let before: Inspection;
        /** Makes the proxy verify the repository and remember it. */
        const reasonFor = async (tag: string): Promise<string> => {
          const repository = gun.slice(REGISTRY.address.length + 1);
          return reasonOf(await ask(`${site.proxy.url}/v2/${repository}/manifests/${tag}`));
        };

        beforeAll(async () => {
          site = sites.get(made.server) as Site;
          await publish(site, gun, made);
          expect(await keyTypesOf(site.server, gun)).toEqual({
            root: `${made.root}-x509`,
            targets: 'ecdsa',
            snapshot: made.snapshot === 'client' ? 'ecdsa' : made.server,
            timestamp: made.server,
          });
          expect(await reasonFor('unsigned')).toBe('unsigned_tag');
        });

        test('as it was made', async () => {
          before = await inspect(site.proxy.configFile, gun);
          await expectAgreement(site, gun, before);
          expect(before.signedTags.map(({ name, signers }) => [name, ...signers])).toEqual([
            ['1', 'qa'],
            ['2'],
            ['rel-1', 'qa'],
          ]);
        });

        test('after notary key rotate of root, targets, snapshot and timestamp', async () => {
          await rotateAll(site.notary, gun, made);
          await site.notary.addHash(gun, 'after', 7, toDigest('after'));
          for (const config of [site.proxy.configFile, site.freshConfig]) {
            const after = await inspect(config, gun);
            await expectAgreement(site, gun, after);
            expect(after.signedTags.map(({ name }) => name)).toEqual(['1', '2', 'after', 'rel-1']);
            expect(versionOf(after, 'root')).toBe(versionOf(before, 'root') + 4);
            for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
              expect(keysOf(after, role)).not.toEqual(keysOf(before, role));
            }
          }
          // Signed, as far as the running proxy is concerned, which saw the first root only.
          await until(
            () => reasonFor('after'),
            (reason) => reason === 'registry_unreachable',
          );
        });
      },
    );
  },
);

async function startSite(keys: ServerKeys): Promise<Site> {
  const server = await startNotaryServer({ serverKeys: keys });
  // Signing and looking take no daemon.
  const docker = await DockerClient.create({ host: 'unix:///nonexistent', trust: server });
  return {
    server,
    docker,
    notary: await NotaryClient.create(server, docker.trustDir),
    proxy: await startProxy({ registry: REGISTRY, trust: server }),
    freshConfig: await writeConfig({ registry: REGISTRY, trust: server }),
  };
}

/** Tags signed by qa for release, by the owner alone, and by qa alone, which is unsigned to Docker. */
async function publish({ docker, notary }: Site, gun: string, made: Case): Promise<void> {
  await notary.init(gun, { root: made.root });
  if (made.snapshot === 'server') await notary.rotate(gun, 'snapshot', { serverManaged: true });
  if (made.delegation === 'docker trust signer add') {
    await docker.trustSignerAdd('qa', await docker.trustKeyGenerate('qa'), gun);
  } else {
    const { certFile } = await notary.createSigner('qa', made.root);
    const scope = made.delegation.endsWith('--paths') ? ['--paths', '1', '--paths', 'rel-'] : ['--all-paths'];
    await stage(notary, 'delegation', 'add', gun, 'targets/releases', certFile, '--all-paths');
    await stage(notary, 'delegation', 'add', gun, 'targets/qa', certFile, ...scope);
  }
  for (const [tag, size, ...roles] of [
    ['1', 7, 'targets/qa', 'targets/releases'],
    ['rel-1', 8, 'targets/qa', 'targets/releases'],
    ['rel-2', 9, 'targets/qa'],
    ['2', 10],
  ] as const) {
    const into = roles.flatMap((role) => ['--roles', role]);
    await stage(notary, 'addhash', gun, tag, String(size), '--sha256', toDigest(tag), ...into);
  }
  await notary.publish(gun);
}

/** Commands without `-p`: what they say waits for one `publish`. */
async function stage(notary: NotaryClient, ...args: readonly string[]): Promise<void> {
  expect(await notary.notary(args)).toMatchObject({ status: 0 });
}

async function rotateAll(notary: NotaryClient, gun: string, { root, snapshot }: Case): Promise<void> {
  await notary.rotate(gun, 'root', root === 'rsa' ? { keyFile: await notary.createRsaKey() } : {});
  await notary.rotate(gun, 'targets');
  await notary.rotate(gun, 'snapshot', { serverManaged: snapshot === 'server' });
  await notary.rotate(gun, 'timestamp', { serverManaged: true });
}

async function inspect(config: string, image: string): Promise<Inspection> {
  const result = await runPullwarden('inspect', '--json', '--config', config, image);
  expect(result).toMatchObject({ status: 0, stderr: '' });
  return JSON.parse(result.stdout) as Inspection;
}

async function expectAgreement({ docker, notary }: Site, gun: string, ours: Inspection): Promise<void> {
  const listed = (await notary.list(gun, DOCKER_ORDER)).filter(({ role }) => DOCKER_ORDER.includes(role));
  const byNotary = listed.map(({ name, digest, size, role }) => ({ name, digest, length: size, role }));
  expect(
    ours.signedTags.map(({ name, digest, length, role }) => ({ name, digest: toHex(digest), length, role })),
  ).toEqual(byNotary.sort((a, b) => (a.name < b.name ? -1 : 1)));

  const byDocker = await docker.trustInspect(gun);
  expect(
    ours.signedTags.map(({ name, digest, signers }) => ({
      SignedTag: name,
      Digest: toHex(digest),
      // What Docker calls a tag that the owner signed and no delegation.
      Signers: signers.length === 0 ? ['Repo Admin'] : signers,
    })),
  ).toEqual(byDocker.SignedTags);
  const idsOf = (keys: readonly { readonly ID: string }[] | undefined) => keys?.map(({ ID }) => ID);
  const administrative = new Map(byDocker.AdministrativeKeys.map(({ Name, Keys }) => [Name, Keys]));
  expect(keysOf(ours, 'root')).toEqual(idsOf(administrative.get('Root')));
  expect(keysOf(ours, 'targets')).toEqual(idsOf(administrative.get('Repository')));
  expect(byDocker.Signers.map(({ Name }) => Name)).toEqual(['qa']);
  const qa = ours.roles.find(({ role }) => role === 'targets/qa');
  expect(qa?.canonicalKeyIds).toEqual(idsOf(byDocker.Signers[0]?.Keys));
}

async function keyTypesOf(server: NotaryServer, gun: string): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await server.fetchFile(gun, 'root.json');
  const { signed } = JSON.parse(body.toString()) as {
    readonly signed: {
      readonly keys: Readonly<Record<string, { readonly keytype: string }>>;
      readonly roles: Readonly<Record<string, { readonly keyids: readonly string[] }>>;
    };
  };
  const typeOf = (ids: readonly string[]) => signed.keys[ids[0] ?? '']?.keytype;
  return Object.fromEntries(Object.entries(signed.roles).map(([role, { keyids }]) => [role, typeOf(keyids)]));
}

function versionOf({ roles }: Inspection, name: string): number {
  return roles.find(({ role }) => role === name)?.version ?? 0;
}

function keysOf({ roles }: Inspection, name: string): readonly string[] {
  return roles.find(({ role }) => role === name)?.keyIds ?? [];
}

function toHex(digest: string): string {
  return digest.replace(/^sha256:/, '');
}

/** Hex SHA-256 of an image nobody made. */
function toDigest(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
