/** The pipeline, the forwarder and the caches that outlive a reload. */
import { createAccessCache } from '../cache/access-cache.ts';
import { createManifestCache } from '../cache/manifest-cache.ts';
import { createTrustFileCache } from '../cache/trust-files.ts';
import { createForwarder } from '../forward/forwarder.ts';
import type { Forwarder } from '../forward/types.ts';
import type { TrustFile } from '../pull/types.ts';
import { createPull, type Pull } from '../pull.ts';
import { createImageConfigs, type HeldImageConfig } from '../registry/image-configs.ts';
import { createSignedManifests } from '../registry/signed-manifests.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { SignedManifest } from '../wire/types.ts';
import type { Parts } from './parts.ts';

/** Bytes of images' configurations kept for daemons with a mirror. */
const IMAGE_CONFIG_CACHE_BYTES = 16 * 1024 * 1024;

type PullSideOptions = {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => Date;
  readonly record: Parameters<typeof createPull>[0]['record'];
  readonly monotonic: () => number;
};

export type PullSide = { readonly pull: Pull; readonly forwarder: Forwarder };

/** The pipeline and the caches it shares across reloads. */
export function createPullSide(
  parts: () => Parts,
  { metrics, log, now, record, monotonic }: PullSideOptions,
): PullSide {
  const access = createAccessCache({
    onShared: () => metrics.singleFlightShared('access'),
    now: monotonic,
  });
  const store = createManifestCache<SignedManifest>();
  metrics.watchCache('access', access.size);
  metrics.watchCache('manifest', store.size);
  const manifests = createSignedManifests({
    store,
    access,
    onCache: (result) => metrics.cacheRequest('manifest', result),
    onShared: () => metrics.singleFlightShared('manifest'),
  });
  const pull = createPull({
    config: () => parts().pull,
    trustFor: (registry, gun, client) => parts().trust.trustFor(registry, gun, client),
    manifests,
    trustFiles: createTrustFileCache<TrustFile>({ now: monotonic }),
    imageConfigs: createImageConfigs(createManifestCache<HeldImageConfig>(IMAGE_CONFIG_CACHE_BYTES)),
    isGranted: access.isGranted,
    record,
    now,
    monotonic,
    onInternalError: (err, requestId) =>
      log.error({ err, request_id: requestId }, 'internal error while handling a request'),
  });
  return { pull, forwarder: createForwarder() };
}
