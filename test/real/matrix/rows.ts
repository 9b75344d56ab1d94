/** What is pulled, and how that ends: for every client alike, or for one of them in its own way. */
import type { ColumnName } from './columns.ts';
import type { Images } from './world.ts';

/**
 * `arrives`: with the digest of this image, or of its child for this platform where it is an index ·
 * `refused`: the person reads the proxy's own sentence · `fails`: the person reads other words, because the client shows
 * none of the proxy's or was not stopped by it.
 */
export type Ending =
  | { readonly kind: 'arrives'; readonly as: keyof Images }
  | { readonly kind: 'refused' | 'fails'; readonly text: string };

export interface Row {
  readonly name: string;
  /** Of docker.io/library. */
  readonly image: (images: Images) => string;
  readonly ending: Ending;
  /** Of the columns where it is another one. */
  readonly except?: Readonly<Partial<Record<ColumnName, Ending>>>;
}

const arrives = (as: keyof Images): Ending => ({ kind: 'arrives', as });
const refused = (text: string): Ending => ({ kind: 'refused', text });
const fails = (text: string): Ending => ({ kind: 'fails', text });

const inContainersImage = (ending: Ending) => ({ skopeo: ending, podman: ending, buildah: ending });
const whereNoMirror = (ending: Ending) => ({
  'dockerd, registry host': ending,
  'dockerd, HTTPS_PROXY': ending,
});

/** What the registry says of itself in the row 429. */
export const SLOW_DOWN = 'slow down, said the registry';

export const ROWS: readonly Row[] = [
  { name: 'signed tag', image: () => 'app:signed', ending: arrives('signed') },
  {
    name: 'unsigned tag',
    image: () => 'app:unsigned',
    ending: refused(
      'docker.io/library/app:unsigned is not signed: no valid signature in targets/releases or targets',
    ),
  },
  { name: 'overwritten tag', image: () => 'app:overwritten', ending: arrives('overwritten') },
  {
    name: 'no trust data',
    image: () => 'none:1',
    ending: refused(
      'docker.io/library/none:1 is not signed: there is no trust data for docker.io/library/none',
    ),
  },
  {
    name: 'expired',
    image: () => 'stale:1',
    ending: refused(
      'docker.io/library/stale:1 is refused: the timestamp metadata of docker.io/library/stale has expired',
    ),
  },
  {
    name: 'Notary down',
    image: () => 'down:1',
    ending: refused(
      'docker.io/library/down:1 cannot be verified: the trust server for docker.io/library/down cannot be reached',
    ),
  },
  { name: 'digest', image: ({ byDigest }) => `app@${byDigest.digest}`, ending: arrives('byDigest') },
  {
    name: 'tag@digest',
    image: ({ both }) => `app:both@${both.digest}`,
    ending: arrives('both'),
    except: { skopeo: fails('Docker references with both a tag and digest are currently not supported') },
  },
  { name: 'index', image: () => 'app:index', ending: arrives('index') },
  {
    name: 'missing blob',
    image: () => 'app:blobless',
    ending: refused('cannot be served: the registry does not have it (404)'),
    except: {
      ...whereNoMirror(fails('unknown blob')),
      ...inContainersImage(fails('invalid status code from registry 404 (Not Found)')),
      'ctr, hosts.toml': fails('from remote: not found'),
    },
  },
  {
    name: 'cut blob',
    image: () => 'app:cut',
    ending: arrives('cut'),
    // These begin a layer once (registry-clients.md §2.4); those that go on where they were get the rest.
    except: inContainersImage(fails('unexpected EOF')),
  },
  {
    name: '429',
    image: () => 'app:limited',
    ending: refused('docker.io/library/app:limited cannot be served: the registry is asked too often (429)'),
    except: {
      ...whereNoMirror(fails(`toomanyrequests: ${SLOW_DOWN}`)),
      ...inContainersImage(fails(SLOW_DOWN)),
    },
  },
];
