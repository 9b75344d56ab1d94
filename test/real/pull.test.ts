import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { ask, reasonOf } from './http.ts';
import { startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type RunningProxy, runPullwarden, startProxy, until } from './proxy.ts';
import { createPullers, PULLERS, type Pullers } from './pullers.ts';
import { type Registry, startRegistry } from './registry.ts';
import { ContainersClient } from './skopeo-podman.ts';

/** Bytes of the big layer before compression, half of which compression takes away. */
const BIG_LAYER = 48 * 1024 * 1024;

type Manifest = {
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
};

type Inspection = {
  readonly signedTags: readonly {
    readonly name: string;
    readonly digest: string;
    readonly signers: readonly string[];
  }[];
};

describeReal(
  'a repository signed with docker trust, pulled through the proxy',
  ['docker-registry', 'notary-server', 'dockerd', 'docker', 'openssl', 'skopeo', 'podman', 'buildah'],
  () => {
    let registry: Registry;
    let docker: DockerClient;
    let containers: ContainersClient;
    let pullers: Pullers;
    let proxy: RunningProxy;
    /** One repository with the registry's name, under which it is signed, and with the proxy's, to pull it. */
    let signedName: string;
    let name: string;
    const digests = { signed: '', moved: '', big: '', unsigned: '' };

    const push = async (image: string, content: string): Promise<string> => {
      await docker.importImage(image, content);
      return (await docker.push(image)).digest;
    };
    const sign = async (tag: string, content: string): Promise<string> => {
      await docker.importImage(`${signedName}:${tag}`, content);
      await docker.trustSign(`${signedName}:${tag}`);
      return (await docker.push(`${signedName}:${tag}`)).digest;
    };
    const manifest = (reference: string, method: 'GET' | 'HEAD' = 'GET') =>
      ask(`${proxy.url}/v2/admin/demo/manifests/${reference}`, { method });
    const layerOf = async (digest: string): Promise<string> => {
      const { layers } = JSON.parse((await manifest(digest)).body.toString()) as Manifest;
      return layers[0]?.digest ?? '';
    };

    beforeAll(async () => {
      const [started, trust, daemon] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
      ]);
      registry = started;
      docker = await DockerClient.create({ host: daemon.host, trust });
      signedName = `${registry.address}/admin/demo`;
      await docker.trustSignerAdd('jeff', await docker.trustKeyGenerate('jeff'), signedName);
      digests.signed = await sign('1', 'content that was signed');
      await sign('revoked', 'revoked');
      digests.big = await sign('big', randomBytes(BIG_LAYER / 2).toString('hex'));
      digests.unsigned = await push(`${signedName}:unsigned`, 'unsigned');
      await push(`${registry.address}/admin/none:1`, 'none');
      proxy = await startProxy({ registry, trust });
      name = `${proxy.address}/admin/demo`;
      containers = await ContainersClient.create([{ location: proxy.address }]);
      pullers = createPullers(docker, containers);
    }, SETUP_TIMEOUT);

    test.each(PULLERS)('%s gets the signed digest of a signed tag', async (client) => {
      if (client === 'docker') await forgetImages(docker);
      expect(await pullers[client](`${name}:1`)).toMatchObject({ ok: true, digest: digests.signed });
    });

    test('docker knows the image by the signed digest, with the content that was signed', async () => {
      await docker.pull(`${name}:1`);
      expect(await docker.repoDigests(`${name}:1`)).toEqual([digests.signed]);
      expect(await contentOf(docker, `${name}:1`)).toContain('content that was signed');
    });

    test.each(PULLERS)('%s is refused an unsigned tag and told so', async (client) => {
      const { ok, output } = await pullers[client](`${name}:unsigned`);
      expect(ok).toBe(false);
      expect(output).toContain(
        `${signedName}:unsigned is not signed: no valid signature in targets/releases or targets; sign it with`,
      );
    });

    test.each(PULLERS)('%s is refused a repository without trust data and told so', async (client) => {
      const { ok, output } = await pullers[client](`${proxy.address}/admin/none:1`);
      expect(ok).toBe(false);
      const gun = `${registry.address}/admin/none`;
      expect(output).toContain(`${gun}:1 is not signed: there is no trust data for ${gun}; sign it with`);
    });

    test('HEAD and GET of a tag say the same', async () => {
      for (const [tag, status, reason] of [
        ['1', 200, undefined],
        ['unsigned', 403, 'unsigned_tag'],
      ] as const) {
        const [head, get] = [await manifest(tag, 'HEAD'), await manifest(tag)];
        expect([head.status, head.phrase]).toEqual([status, get.phrase]);
        expect(head.body).toHaveLength(0);
        for (const header of ['content-type', 'docker-content-digest', 'etag', 'content-length']) {
          // Of a refusal the length differs: the request's ID is in the body.
          if (status === 200) expect(head.headers[header]).toBe(get.headers[header]);
        }
        if (reason !== undefined) expect(reasonOf(get)).toBe(reason);
      }
    });

    test('the tag list has the signed tags only', async () => {
      const expected = ['1', 'big', 'revoked'];
      const answer = await ask(`${proxy.url}/v2/admin/demo/tags/list`);
      expect(JSON.parse(answer.body.toString())).toEqual({ name: 'admin/demo', tags: expected });
      const listed = await containers.skopeo(['list-tags', '--tls-verify=false', `docker://${name}`]);
      expect(JSON.parse(listed.stdout)).toMatchObject({ Tags: expected });
      expect(reasonOf(await ask(`${proxy.url}/v2/admin/none/tags/list`))).toBe('no_trust_data');
    });

    test.each(PULLERS)('%s gets by digest what is not signed', async (client) => {
      const digest = digests.unsigned;
      expect(await pullers[client](`${name}@${digest}`)).toMatchObject({ ok: true, digest });
    });

    test('a part of a blob is exactly that part', async () => {
      const blob = `${proxy.url}/v2/admin/demo/blobs/${await layerOf(digests.big)}`;
      const whole = await ask(blob);
      expect([whole.status, sha256(whole.body)]).toEqual([200, blob.slice(blob.lastIndexOf('/') + 1)]);
      const { length } = whole.body;
      for (const [range, from, to] of [
        ['bytes=1000-1999', 1000, 1999],
        [`bytes=${length - 7}-`, length - 7, length - 1],
      ] as const) {
        const part = await ask(blob, { headers: { range } });
        expect(part).toMatchObject({
          status: 206,
          headers: { 'content-range': `bytes ${from}-${to}/${length}`, 'content-length': `${to - from + 1}` },
        });
        expect(part.body.equals(whole.body.subarray(from, to + 1))).toBe(true);
      }
    });

    test('docker and skopeo pull a big layer', async () => {
      await forgetImages(docker);
      for (const client of ['docker', 'skopeo'] as const) {
        expect(await pullers[client](`${name}:big`)).toMatchObject({ ok: true, digest: digests.big });
      }
    });

    describe('after an unsigned push moved the tag', () => {
      beforeAll(async () => {
        digests.moved = await push(`${signedName}:1`, 'moved');
        const { headers } = await ask(`${registry.url}/v2/admin/demo/manifests/1`, {
          method: 'HEAD',
          headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
        });
        expect(headers['docker-content-digest']).toBe(digests.moved);
        expect(digests.moved).not.toBe(digests.signed);
      });

      test.each(PULLERS)('%s still gets the signed digest', async (client) => {
        if (client === 'docker') await forgetImages(docker);
        expect(await pullers[client](`${name}:1`)).toMatchObject({ ok: true, digest: digests.signed });
      });

      test('docker has the content that was signed', async () => {
        expect(await docker.repoDigests(`${name}:1`)).toEqual([digests.signed]);
        expect(await contentOf(docker, `${name}:1`)).toContain('content that was signed');
      });
    });

    test('after docker trust revoke a tag is refused within the refresh interval, also as a listed tag', async () => {
      expect((await manifest('revoked')).status).toBe(200);
      await docker.trustRevoke(`${signedName}:revoked`);
      const refused = await until(
        () => manifest('revoked'),
        ({ status }) => status !== 200,
      );
      expect([refused.status, reasonOf(refused)]).toEqual([403, 'unsigned_tag']);
      const listed = await ask(`${proxy.url}/v2/admin/demo/tags/list`);
      expect(JSON.parse(listed.body.toString())).toMatchObject({ tags: ['1', 'big'] });
      for (const client of PULLERS) {
        const { ok, output } = await pullers[client](`${name}:revoked`);
        expect([client, ok]).toEqual([client, false]);
        expect(output).toContain(`${signedName}:revoked is not signed: no valid signature`);
      }
    });

    test('a tag signed while the proxy runs is served within the refresh interval', async () => {
      const digest = await sign('new', 'new');
      const served = await until(
        () => manifest('new'),
        ({ status }) => status === 200,
      );
      expect(served.headers['docker-content-digest']).toBe(digest);
    });

    test('inspect says what docker trust inspect says', async () => {
      const result = await runPullwarden('inspect', '--json', '--config', proxy.configFile, signedName);
      const { signedTags } = JSON.parse(result.stdout) as Inspection;
      expect(
        signedTags.map(({ name: SignedTag, digest, signers: Signers }) => ({
          SignedTag,
          Digest: digest.slice('sha256:'.length),
          Signers,
        })),
      ).toEqual((await docker.trustInspect(signedName)).SignedTags);
      expect(signedTags.map(({ name: tag }) => tag)).toEqual(['1', 'big', 'new']);
    });

    test('each of these decisions is counted and logged', async () => {
      const metrics = await proxy.metrics();
      for (const reason of ['signed', 'unsigned_tag', 'no_trust_data', 'digest']) {
        expect(metrics).toMatch(
          new RegExp(`^pullwarden_decisions_total\\{.*reason="${reason}".*\\} [1-9]`, 'm'),
        );
      }
      expect(proxy.log()).toContain(`"gun":"${signedName}"`);
    });
  },
);

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Takes every image away from the daemon, so that a pull has to bring each layer. */
async function forgetImages(docker: DockerClient): Promise<void> {
  const ids = (await docker.dockerOk(['image', 'ls', '--quiet', '--no-trunc'])).stdout.trim().split('\n');
  const known = [...new Set(ids)].filter((id) => id !== '');
  if (known.length > 0) await docker.dockerOk(['image', 'rm', '--force', ...known]);
}

/** The file `content` of an image, in a tar archive as text. */
async function contentOf(docker: DockerClient, image: string): Promise<string> {
  const id = (await docker.dockerOk(['create', image, '/none'])).stdout.trim();
  const archive = await docker.dockerOk(['cp', `${id}:/content`, '-']);
  await docker.dockerOk(['rm', id]);
  return archive.stdout;
}
