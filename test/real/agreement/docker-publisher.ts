/** Makes one repository with the Docker CLI (`docker trust`, and `docker push` with content trust), and changes it later. */
import { DockerClient } from '../docker.ts';
import { type ManagedRole, NotaryClient } from '../notary.ts';
import type { NotaryServer } from '../notary-server.ts';

const STARTS = ['push', 'oneSigner', 'twoSigners'] as const;
const CHANGES = [
  'none',
  'signAnother',
  'signMoved',
  'pushMoved',
  'revokeTag',
  'revokeAll',
  'addSigner',
  'removeSigner',
  'rotateRoot',
  'rotateTargets',
  'rotateSnapshot',
  'rotateTimestamp',
] as const;

export interface DockerScenario {
  readonly start: (typeof STARTS)[number];
  readonly change: (typeof CHANGES)[number];
}

/** Every change from two of the three starts. */
export const DOCKER_SCENARIOS: readonly DockerScenario[] = CHANGES.flatMap((change, index) =>
  STARTS.filter((_, turn) => turn !== index % STARTS.length)
    .filter((start) => change !== 'removeSigner' || start !== 'push')
    .map((start) => ({ start, change })),
);

export interface DockerParts {
  readonly host: string;
  /** Local images of different content. */
  readonly images: readonly [string, string];
}

export class DockerPublisher {
  readonly #docker: DockerClient;
  readonly #parts: DockerParts;
  readonly #server: NotaryServer;
  readonly #repository: string;
  readonly #scenario: DockerScenario;

  static async create(
    parts: DockerParts,
    server: NotaryServer,
    repository: string,
    scenario: DockerScenario,
  ): Promise<DockerPublisher> {
    const docker = await DockerClient.create({ host: parts.host, trust: server });
    return new DockerPublisher(docker, parts, server, repository, scenario);
  }

  private constructor(
    docker: DockerClient,
    parts: DockerParts,
    server: NotaryServer,
    repository: string,
    scenario: DockerScenario,
  ) {
    this.#docker = docker;
    this.#parts = parts;
    this.#server = server;
    this.#repository = repository;
    this.#scenario = scenario;
  }

  async publish(): Promise<void> {
    await this.#starts[this.#scenario.start]();
  }

  async change(): Promise<void> {
    await this.#changes[this.#scenario.change]();
  }

  readonly #starts: Readonly<Record<DockerScenario['start'], () => Promise<void>>> = {
    push: async () => {
      await this.#push('1', 0);
      await this.#push('2', 1);
    },
    oneSigner: async () => {
      await this.#addSigner('jeff');
      await this.#sign('1', 0);
    },
    /** The first tag has one signer, the second both. */
    twoSigners: async () => {
      await this.#addSigner('jeff');
      await this.#sign('1', 0);
      await this.#addSigner('ana');
      await this.#sign('2', 0);
    },
  };

  readonly #changes: Readonly<Record<DockerScenario['change'], () => Promise<void>>> = {
    none: async () => undefined,
    signAnother: async () => {
      await this.#addSigner('kim');
      await this.#sign('3', 1);
    },
    signMoved: async () => {
      if (this.#scenario.start === 'push') await this.#addSigner('kim');
      await this.#sign('1', 1);
    },
    pushMoved: () => this.#push('1', 1),
    revokeTag: async () => {
      await this.#docker.trustRevoke(`${this.#repository}:1`);
    },
    revokeAll: async () => {
      await this.#docker.trustRevoke(this.#repository);
    },
    addSigner: () => this.#addSigner('kim'),
    removeSigner: async () => {
      const last = this.#scenario.start === 'twoSigners' ? 'ana' : 'jeff';
      await this.#docker.trustSignerRemove(last, this.#repository);
    },
    rotateRoot: () => this.#rotate('root'),
    rotateTargets: () => this.#rotate('targets'),
    rotateSnapshot: () => this.#rotate('snapshot'),
    rotateTimestamp: () => this.#rotate('timestamp'),
  };

  /** A push with content trust signs into `targets`, or into the delegations once there are any. */
  async #push(tag: string, image: 0 | 1): Promise<void> {
    const reference = await this.#tag(tag, image);
    await this.#docker.push(reference, { contentTrust: true });
  }

  async #sign(tag: string, image: 0 | 1): Promise<void> {
    await this.#docker.trustSign(await this.#tag(tag, image));
  }

  async #tag(tag: string, image: 0 | 1): Promise<string> {
    const reference = `${this.#repository}:${tag}`;
    await this.#docker.dockerOk(['tag', this.#parts.images[image], reference]);
    return reference;
  }

  async #addSigner(name: string): Promise<void> {
    const publicKey = await this.#docker.trustKeyGenerate(name);
    await this.#docker.trustSignerAdd(name, publicKey, this.#repository);
  }

  /** Docker cannot rotate; `notary` does it with the keys that Docker made. */
  async #rotate(role: ManagedRole): Promise<void> {
    const notary = await NotaryClient.create(this.#server, this.#docker.trustDir);
    await notary.rotate(this.#repository, role, { serverManaged: role === 'timestamp' });
  }
}
