/**
 * A refusal sticks: the real clients, with every way out but the proxy leading to a recorder. After a refusal nobody
 * asked for the public registry. The forms are proxy/wire/refusal-forms.ts.
 */
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { reset, stall, status } from '../simulators/faults.ts';
import { type Containerd, startContainerd, writeHostsDir } from './containerd.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { type Egress, startEgress } from './egress.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import type { Result } from './process.ts';
import { type Hub, REPOSITORY, startHub } from './sticky/hub.ts';
import { type Relay, startRelay } from './sticky/relay.ts';

/** A daemon tries a layer six times over 75 s by default. */
const SETTINGS = { 'max-download-attempts': 1 };
const HUB = 'registry-1.docker.io:443';

describeReal('a daemon with a bare registry-mirrors', ['dockerd', 'docker'], () => {
  let hub: Hub;
  let egress: Egress;
  let mirror: Relay;
  let docker: DockerClient;

  beforeAll(async () => {
    [hub, egress] = await Promise.all([startHub(), startEgress()]);
    mirror = await startRelay(hub.url);
    const daemon = await startDockerd({ registryMirror: mirror.url, settings: SETTINGS, env: egress.env });
    docker = await DockerClient.create({ host: daemon.host });
  }, SETUP_TIMEOUT);
  beforeEach(() => {
    hub.registry.clearFaults();
    hub.notary.clearFaults();
    egress.look();
  });

  /** Refused, by this sentence, and nobody asked for Docker Hub. */
  const expectStuck = (result: Result, sentence: string): void => {
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain(sentence);
    expect(result.stderr).toContain('(no such process)');
    expect(egress.look()).toEqual([]);
  };

  test('pulls a signed tag, an index and a digest without a way out', async () => {
    const signed = await hub.sign('1');
    await hub.sign('index', 'docker-list');
    for (const image of ['app:1', 'app:index', `app@${signed.digest}`])
      expect((await docker.pull(image)).status).toBe(0);
    expect(await docker.repoDigests('app:1')).toEqual([signed.digest]);
    expect(egress.look()).toEqual([]);
  });

  test('dockerd with a bare mirror stops at the refusal and shows it', async () => {
    hub.registry.pushImage(REPOSITORY, 'unsigned');
    expectStuck(
      await docker.pull('app:unsigned'),
      'received unexpected HTTP status: 503 Denied by Pullwarden: docker.io/library/app:unsigned is not signed',
    );
    hub.registry.pushImage('library/none', '1');
    expectStuck(
      await docker.pull('none:1'),
      'docker.io/library/none:1 is not signed: there is no trust data',
    );
  });

  test('in the plain form the same refusal would have sent it to Docker Hub', async () => {
    hub.registry.pushImage(REPOSITORY, 'unsigned');
    mirror.hideAgents(true);
    const result = await docker.pull('app:unsigned');
    mirror.hideAgents(false);
    expect(result.stderr).toContain('https://registry-1.docker.io/v2/');
    expect(egress.look()).toEqual([HUB]);
  });

  test('every page of pull --all-tags is refused', async () => {
    hub.registry.pushImage('library/none', '2');
    expectStuck(await docker.docker(['pull', '--all-tags', 'none']), 'there is no trust data');
  });

  test('the signed manifest, a child of an index, a layer or the configuration is gone from the registry', async () => {
    const gone = await hub.sign('gone');
    hub.registry.deleteManifest(REPOSITORY, gone.digest);
    expectStuck(await docker.pull('app:gone'), 'the registry does not have the signed manifest');
    const index = await hub.sign('childless', 'docker-list');
    for (const child of index.children) hub.registry.deleteManifest(REPOSITORY, child);
    expectStuck(await docker.pull('app:childless'), 'cannot be served: the registry does not have it');
    const layerless = await hub.sign('layerless');
    for (const layer of layerless.layers) hub.registry.deleteBlob(REPOSITORY, layer);
    expectStuck(await docker.pull('app:layerless'), 'cannot be served: the registry does not have it');
    const configless = await hub.sign('configless');
    const { config } = JSON.parse(Buffer.from(configless.body).toString());
    hub.registry.deleteBlob(REPOSITORY, config.digest);
    expectStuck(await docker.pull('app:configless'), 'the registry does not have its configuration');
    hub.registry.deleteManifest(REPOSITORY, gone.digest);
    expectStuck(await docker.pull(`app@${gone.digest}`), 'the registry does not have it');
  });

  test.each([
    ['401', 401, 'the registry asks for other credentials (401)'],
    ['403', 403, 'the registry does not let you read it (403)'],
    ['429', 429, 'the registry is asked too often (429)'],
    ['500', 500, 'the registry answered 500'],
  ])('the registry answers %s', async (tag, code, sentence) => {
    await hub.sign(`answer-${tag}`);
    hub.registry.fault(/\/manifests\//, status(code));
    expectStuck(await docker.pull(`app:answer-${tag}`), sentence);
  });

  test('the registry or the trust server cannot be reached, or does not answer in time', async () => {
    await hub.sign('alone');
    hub.registry.fault(/./, reset());
    expectStuck(
      await docker.pull('app:alone'),
      'app:alone cannot be served: the registry did not give an answer',
    );
    hub.notary.fault(/library\/never/, reset());
    expectStuck(await docker.pull('never:1'), 'never:1 cannot be verified: the trust server');
    hub.notary.fault(/library\/late/, stall());
    expectStuck(await docker.pull('late:1'), 'late:1 cannot be verified: the trust server');
  });

  test('dockerd with the proxy as registry host shows the whole message', async () => {
    hub.registry.pushImage(REPOSITORY, 'unsigned');
    const result = await docker.pull(`${hub.address}/docker.io/library/app:unsigned`);
    expect(result.stderr).toMatch(
      /denied: docker\.io\/library\/app:unsigned is not signed: .*; sign it with "docker trust sign/,
    );
    expect(egress.look()).toEqual([]);
  });
});

describeReal('ctr', ['containerd', 'ctr'], () => {
  let hub: Hub;
  let egress: Egress;
  let containerd: Containerd;

  beforeAll(async () => {
    [hub, egress] = await Promise.all([startHub(), startEgress()]);
    containerd = await startContainerd(egress.env);
  }, SETUP_TIMEOUT);
  beforeEach(() => {
    hub.registry.clearFaults();
    hub.notary.clearFaults();
    egress.look();
  });

  const host = () => `[host."${hub.url}"]\n  capabilities = ["pull", "resolve"]\n`;
  const pull = async (image: string, hostsToml: string) =>
    await containerd.pull(image, await writeHostsDir(hostsToml));
  /** As \`pullwarden clients containerd\` has it: the proxy, and nobody behind it. */
  const alone = () => `server = "${hub.url}"\n${host()}`;
  /** Without \`server\` the registry itself is the last resort (registry-clients.md §2.1). */
  const withUpstream = host;

  const expectStuck = (result: Result, sentence: string): void => {
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain(sentence);
    expect(egress.look()).toEqual([]);
  };

  describe.each([
    ['alone', alone],
    ['with an upstream behind the proxy', withUpstream],
  ])('%s', (_name, hosts) => {
    test('pulls a signed tag without a way out', async () => {
      await hub.sign('1');
      expect((await pull('docker.io/library/app:1', hosts())).status).toBe(0);
      expect(egress.look()).toEqual([]);
    });

    test('stops when the registry or the trust server fails', async () => {
      await hub.sign('failing');
      hub.registry.fault(/\/manifests\//, status(500));
      expectStuck(await pull('docker.io/library/app:failing', hosts()), '300 Pullwarden: ');
      hub.registry.fault(/\/manifests\//, status(404));
      expectStuck(
        await pull('docker.io/library/app:failing', hosts()),
        'the registry does not have the signed manifest',
      );
      hub.notary.fault(/library\/never/, reset());
      expectStuck(
        await pull('docker.io/library/never:1', hosts()),
        'never:1 cannot be verified: the trust server',
      );
    });
  });

  test('ctr with an upstream behind the proxy stops at the refusal and shows it', async () => {
    hub.registry.pushImage(REPOSITORY, 'unsigned');
    for (const hosts of [alone(), withUpstream()]) {
      expectStuck(
        await pull('docker.io/library/app:unsigned', hosts),
        '300 Denied by Pullwarden: docker.io/library/app:unsigned is not signed: no valid signature',
      );
    }
  });

  test('under a path prefix it is the same', async () => {
    await hub.sign('prefixed');
    const hosts = `[host."${hub.url}/hub"]\n  capabilities = ["pull", "resolve"]\n`;
    expect((await pull('docker.io/library/app:prefixed', hosts)).status).toBe(0);
    hub.registry.pushImage(REPOSITORY, 'unsigned');
    expectStuck(
      await pull('docker.io/library/app:unsigned', hosts),
      'docker.io/library/app:unsigned is not signed',
    );
  });

  test('a blob that is gone is asked for at the upstream by its digest, which no form prevents', async () => {
    const image = await hub.sign('layerless');
    for (const layer of image.layers) hub.registry.deleteBlob(REPOSITORY, layer);
    expectStuck(await pull('docker.io/library/app:layerless', alone()), 'not found');
    expect((await pull('docker.io/library/app:layerless', withUpstream())).status).not.toBe(0);
    expect(egress.look()).toEqual([HUB]);
  });
});
