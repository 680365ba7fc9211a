# The image of cephbackup: the program, restic, Ceph's clients, and what filesystems need. Built with
#   docker build --tag cephbackup:0.1.0 .
# Behind a proxy or a mirror: HTTP_PROXY and the like as build arguments, DEBIAN_MIRROR, and as build secrets an .npmrc
# (`--secret id=npmrc,src=...`) and certificates (`--secret id=ca,src=...`). Secrets leave no trace in the image.
ARG BASE=node:24-trixie-slim

FROM ${BASE} AS base
ARG DEBIAN_MIRROR=
RUN [ -z "$DEBIAN_MIRROR" ] || printf 'deb %s trixie main\n' "$DEBIAN_MIRROR" >/etc/apt/sources.list.d/mirror.list

FROM base AS program
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/ca.pem \
    if [ -s /run/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/ca.pem; fi && npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY lib lib
# After the build only what runs stays: no types, maps or sources of packages.
RUN npm run build && chmod 755 dist/bin/cephbackup.js && npm prune --omit=dev --ignore-scripts && \
    find dist node_modules -type f \( -name '*.ts' -o -name '*.map' -o -name '*.md' -o -name '*.tsbuildinfo' \) -delete && \
    mkdir out && mv package.json dist node_modules out/
COPY LICENSE out/

# Debian 13 has restic 0.18. A newer release's package is one static program, so it needs nothing else of that release.
FROM base AS restic
ARG RESTIC_VERSION=0.19.1-1
ARG RESTIC_SHA256_AMD64=97711c3125b5a65788a7e99fce8eb25f9a543fa8d83c4d7e54a5febe939a0f9e
ARG RESTIC_SHA256_ARM64=37f474371bf411d7b14dbc5d607d93beda117af94a7192a6bcecc7f81e3f8ff5
# Debian's mirrors keep a version as long as a release has it; another place can be named.
ARG RESTIC_URL=
RUN architecture=$(dpkg --print-architecture) && \
    case $architecture in amd64) sum=$RESTIC_SHA256_AMD64 ;; arm64) sum=$RESTIC_SHA256_ARM64 ;; *) exit 1 ;; esac && \
    mirror=${DEBIAN_MIRROR:-$(apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/.*|\1|p" | head -n 1)} && \
    url=${RESTIC_URL:-$mirror/pool/main/r/restic/restic_${RESTIC_VERSION}_$architecture.deb} && \
    /usr/lib/apt/apt-helper download-file "$url" /tmp/restic.deb "SHA256:$sum" && \
    dpkg-deb --extract /tmp/restic.deb /restic

FROM base
# e2fsprogs, xfsprogs: fsck and mkfs. qemu: `--mapper fuse`. kmod: the module rbd or nbd. tini: reaps orphans, hands signals on.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    ca-certificates ceph-common=18.2.* ceph-fuse=18.2.* e2fsprogs kmod mount qemu-block-extra=1:10.0.* qemu-utils=1:10.0.* \
    rbd-nbd=18.2.* tini util-linux xfsprogs && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale /usr/share/info && \
    # Administrators' programs, package managers: none of them is started.
    cd /usr/bin && rm -f ceph-conf ceph-post-file ceph-rbdnamer ceph-syn cephfs-data-scan cephfs-journal-tool cephfs-table-tool crushtool osdmaptool rados \
    radosgw-admin rbd-replay* qemu-io qemu-nbd && cd /usr/local && \
    rm -rf lib/node_modules bin/npm bin/npx bin/corepack bin/yarn* /opt/yarn* include/node
COPY --from=restic /restic/usr/bin/restic /usr/local/bin/restic
COPY --from=program /build/out /usr/local/lib/cephbackup
RUN ln -s ../lib/cephbackup/dist/bin/cephbackup.js /usr/local/bin/cephbackup

ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="cephbackup" \
      org.opencontainers.image.description="Backs up the Ceph volumes of a Kubernetes cluster into one restic repository" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Mounting needs root. The chart runs as nobody whatever does not mount.
ENTRYPOINT ["/usr/bin/tini", "--", "cephbackup"]
CMD ["--help"]
