# The image of cephbackup: the program, restic, Ceph's clients, and what filesystems need. Built with
#   docker build --tag cephbackup:0.1.0 .
# Behind a proxy or a mirror: HTTP_PROXY and the like as build arguments, DEBIAN_MIRROR, and as build secrets an .npmrc
# (`--secret id=npmrc,src=...`) and certificates (`--secret id=ca,src=...`). Secrets leave no trace in the image.
#
# The base is Debian's next release, since no other has a Ceph whose clients know the keys of today's clusters (aes256k: Ceph
# 19.2.6, 20.2.4 and later). Node and npm come from Node's own image: only the program node stays.
ARG BASE=debian:forky-slim
ARG NODE=node:24-trixie-slim

FROM ${BASE} AS base
ARG DEBIAN_MIRROR=
# A mirror keeps a version as long as a release has it; Debian's archive of snapshots keeps it for good.
ARG DEBIAN_SNAPSHOT=http://snapshot.debian.org/archive/debian/20261128T000000Z
RUN [ -z "$DEBIAN_MIRROR" ] || printf 'deb %s forky main\n' "$DEBIAN_MIRROR" >/etc/apt/sources.list.d/mirror.list

FROM ${NODE} AS program
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/ca.pem \
    if [ -s /run/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/ca.pem; fi && npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY lib lib
# After the build only what runs stays: no types, maps or sources of packages. Licences stay, whatever their files are called.
RUN npm run build && chmod 755 dist/bin/cephbackup.js && npm prune --omit=dev --ignore-scripts && \
    find dist node_modules -type f \( -name '*.ts' -o -name '*.map' -o -name '*.md' -o -name '*.tsbuildinfo' \) \
    ! -iname '*licen[cs]e*' ! -iname '*notice*' ! -iname '*copying*' -delete && \
    mkdir out && mv package.json dist node_modules out/ && \
    if [ -e /usr/local/LICENSE ]; then cp /usr/local/LICENSE out/LICENSE.node; fi
COPY LICENSE out/

# One static program of Debian's package, by its checksum.
FROM base AS restic
ARG RESTIC_VERSION=0.19.1-1
ARG RESTIC_SHA256_AMD64=97711c3125b5a65788a7e99fce8eb25f9a543fa8d83c4d7e54a5febe939a0f9e
ARG RESTIC_SHA256_ARM64=37f474371bf411d7b14dbc5d607d93beda117af94a7192a6bcecc7f81e3f8ff5
# Another place can be named.
ARG RESTIC_URL=
RUN architecture=$(dpkg --print-architecture) && \
    case $architecture in amd64) sum=$RESTIC_SHA256_AMD64 ;; arm64) sum=$RESTIC_SHA256_ARM64 ;; *) exit 1 ;; esac && \
    mirror=${DEBIAN_MIRROR:-$(apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/.*|\1|p" | head -n 1)} && \
    file=pool/main/r/restic/restic_${RESTIC_VERSION}_$architecture.deb && \
    for url in ${RESTIC_URL:-$mirror/$file $DEBIAN_SNAPSHOT/$file}; do \
      if /usr/lib/apt/apt-helper download-file "$url" /tmp/restic.deb "SHA256:$sum"; then break; fi; done && \
    dpkg-deb --extract /tmp/restic.deb /restic

FROM base
# e2fsprogs, xfsprogs: fsck and mkfs. fuse3: `open` (restic mount). qemu: `--mapper fuse`. kmod: the module rbd or nbd. tini: reaps orphans, hands signals on.
# Where the mirror has other versions by now, all of it comes from the day on which these were chosen.
RUN export DEBIAN_FRONTEND=noninteractive && apt-get update && \
    install='apt-get install --yes --no-install-recommends --allow-downgrades ca-certificates ceph-common=20.2.* ceph-fuse=20.2.* \
    e2fsprogs fuse3 kmod mount qemu-block-extra=1:11.* qemu-utils=1:11.* rbd-nbd=20.2.* tini util-linux xfsprogs' && \
    if ! $install --simulate >/dev/null; then \
      printf 'deb [check-valid-until=no] %s forky main\n' "$DEBIAN_SNAPSHOT" >/etc/apt/sources.list.d/snapshot.list && \
      site=${DEBIAN_SNAPSHOT#*://} && \
      printf 'Package: *\nPin: origin "%s"\nPin-Priority: 1001\n' "${site%%/*}" >/etc/apt/preferences.d/snapshot && \
      apt-get update && apt-get dist-upgrade --yes --allow-downgrades; fi && \
    $install && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/man /usr/share/locale /usr/share/info && \
    # Of the documentation the licences stay, in one file.
    cd / && find usr/share/doc -type f -name copyright | tar --create --gzip --files-from=- --file=usr/share/licences.tar.gz && \
    rm -rf usr/share/doc && \
    # Administrators' programs, package managers: none of them is started.
    cd /usr/bin && rm -f ceph-conf ceph-post-file ceph-rbdnamer ceph-syn cephfs-data-scan cephfs-journal-tool cephfs-table-tool crushtool osdmaptool rados \
    radosgw-admin rbd-replay* qemu-io qemu-nbd
COPY --from=program /usr/local/bin/node /usr/local/bin/node
COPY --from=restic /restic/usr/bin/restic /usr/local/bin/restic
COPY --from=restic /restic/usr/share/doc/restic/copyright /usr/share/doc/restic/copyright
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
