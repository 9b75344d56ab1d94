/**
 * Places on the pull port, shared out so that no client takes all of them.
 *
 * One rule, without a number of clients in it: a client may hold three times as many places as are free. Alone it
 * gets three quarters, which is enough for a balancer with everybody behind it; two that take all they can get three
 * sevenths each; and a place stays free for one more client however many there are.
 */
import { toClientKey } from '../names/client-key.ts';

/** How many times the free places one client may hold. */
const TIMES_FREE = 3;
/** Of the free places, what one client gets for connections on which it is only told that it holds too many. */
const TOLD_PART = 1 / 16;
/** With fewer free places than this part of all, idle ones are taken back. */
const SCARCE_PART = 1 / 16;
/** A place counts as idle after this time without a request: a new connection has yet to send one, in milliseconds. */
const IDLE_MS = 1_000;

/** `told`: its client holds too many, and has to be told so. */
export type Admission = 'admitted' | 'told' | 'refused';

export type PlacesOptions = {
  readonly max: number;
  readonly now?: () => number;
};

type Client = {
  readonly key: string;
  /** Since when each of its places is idle, the longest first. */
  readonly idle: Map<Place, number>;
  held: number;
  told: number;
};

/** One connection's place. */
export type Place = {
  readonly admission: Admission;
  /** Requests under way: it is not idle. */
  begin(): void;
  end(): void;
  leave(): void;
};

export type Places = {
  readonly taken: () => number;
  /** @param evict ends the connection, when it is idle and in the way. */
  take(address: string | undefined, evict?: () => void): Place;
};

export function createPlaces(options: PlacesOptions): Places {
  return new SharedPlaces(options);
}

class SharedPlaces implements Places {
  readonly #max: number;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();
  readonly #evictions = new Map<Place, () => void>();
  #taken = 0;

  constructor({ max, now = () => performance.now() }: PlacesOptions) {
    this.#max = max;
    this.#now = now;
  }

  taken(): number {
    return this.#taken;
  }

  take(address: string | undefined, evict?: () => void): Place {
    const key = toClientKey(address);
    const client = this.#clients.get(key) ?? { key, idle: new Map(), held: 0, told: 0 };
    const admission = this.#judge(client);
    if (admission === 'refused') return NO_PLACE;
    this.#clients.set(key, client);
    this.#count(client, admission, 1);
    const place = this.#createPlace(client, admission, evict);
    if (evict !== undefined) {
      this.#evictions.set(place, evict);
      client.idle.set(place, this.#now());
    }
    this.#relieve();
    return place;
  }

  #judge({ held, told }: Client): Admission {
    const free = this.#max - this.#taken;
    if (free <= 0) return 'refused';
    if (held < free * TIMES_FREE) return 'admitted';
    return told < free * TOLD_PART ? 'told' : 'refused';
  }

  #count(client: Client, admission: Admission, places: 1 | -1): void {
    this.#taken += places;
    client[admission === 'told' ? 'told' : 'held'] += places;
  }

  #createPlace(client: Client, admission: Admission, evict: (() => void) | undefined): Place {
    let requests = 0;
    let isTaken = true;
    const place: Place = {
      admission,
      begin: () => {
        requests += 1;
        client.idle.delete(place);
      },
      end: () => {
        requests -= 1;
        if (requests === 0 && isTaken && evict !== undefined) client.idle.set(place, this.#now());
      },
      leave: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#count(client, admission, -1);
        client.idle.delete(place);
        this.#evictions.delete(place);
        if (client.held + client.told === 0) this.#clients.delete(client.key);
      },
    };
    return place;
  }

  /** When places are scarce, takes back the one that the client with the most of them has left idle the longest. */
  #relieve(): void {
    if (this.#max - this.#taken >= this.#max * SCARCE_PART) return;
    const clients = [...this.#clients.values()];
    const greediest = clients.reduce((most, next) => (next.held > most.held ? next : most));
    const [oldest, since] = greediest.idle.entries().next().value ?? [];
    if (oldest === undefined || since === undefined || this.#now() - since < IDLE_MS) return;
    const evict = this.#evictions.get(oldest);
    oldest.leave();
    evict?.();
  }
}

const NO_PLACE: Place = {
  admission: 'refused',
  begin: () => undefined,
  end: () => undefined,
  leave: () => undefined,
};
