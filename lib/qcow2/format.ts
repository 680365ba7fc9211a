import { Qcow2Error } from './errors.js';

/**
 * The parts of QCOW2 version 3 that this library uses. Source: "Qcow2 Image File Format", docs/interop/qcow2.txt of QEMU.
 * Everything is big-endian.
 */
const magic = 0x514649fb; // "QFI\xfb"
const version = 3;
/** 16-bit reference counts: 1 << refcountOrder bits each. */
const refcountOrder = 4;
/** Version 3 without header extensions; the four zero bytes behind it are the end-of-extensions mark. */
export const headerLength = 104;

export const minClusterBits = 9;
export const maxClusterBits = 21;
/** QEMU refuses larger tables (QCOW_MAX_L1_SIZE, QCOW_MAX_REFTABLE_SIZE in block/qcow2.h). */
export const maxL1Bytes = 32 * 1024 * 1024;
export const maxRefcountTableBytes = 8 * 1024 * 1024;
/** QEMU's block layer counts in sectors: a size that is no multiple is silently cut down. */
export const sectorSize = 512;
/** Bytes of an entry of L1 tables, L2 tables and the refcount table. */
export const entrySize = 8;
/** Bytes of an entry of a refcount block. */
export const refcountSize = 2;

/** The upper half of an L1 or L2 entry's bit 63, OFLAG_COPIED: the cluster is referenced exactly once. */
export const copiedFlagHigh = 0x8000_0000;

export interface Header {
  clusterBits: number;
  /** Virtual disk size in bytes. */
  virtualSize: number;
  l1Entries: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
}

export function encodeHeader(header: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(headerLength));
  view.setUint32(0, magic);
  view.setUint32(4, version);
  view.setUint32(20, header.clusterBits);
  view.setBigUint64(24, BigInt(header.virtualSize));
  view.setUint32(36, header.l1Entries);
  view.setBigUint64(40, BigInt(header.l1Offset));
  view.setBigUint64(48, BigInt(header.refcountTableOffset));
  view.setUint32(56, header.refcountTableClusters);
  view.setUint32(96, refcountOrder);
  view.setUint32(100, headerLength);
  return new Uint8Array(view.buffer);
}

/**
 * Reads the first 104 bytes of an image.
 *
 * @throws Qcow2Error MALFORMED, or UNSUPPORTED: backing files, encryption, internal snapshots, features, other refcounts.
 */
export function decodeHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerLength);
  const u64 = (at: number): number => {
    const value = view.getBigUint64(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new Qcow2Error('MALFORMED', `header field at ${at} is ${value.toString()}`);
    }
    return Number(value);
  };
  if (view.getUint32(0) !== magic) throw new Qcow2Error('MALFORMED', 'this is no QCOW2 image');
  const expectZero: [number, string][] = [
    [8, 'a backing file'],
    [64, 'internal snapshots'],
    [72, 'incompatible features'],
    [80, 'compatible features'],
    [88, 'autoclear features'],
  ];
  const used = expectZero.find(([at]) => view.getBigUint64(at) !== 0n)?.[1];
  if (view.getUint32(4) !== version) throw unsupported(`version ${view.getUint32(4)}`);
  if (used !== undefined) throw unsupported(used);
  if (view.getUint32(16) !== 0) throw unsupported('a backing file');
  if (view.getUint32(32) !== 0) throw unsupported('encryption');
  if (view.getUint32(60) !== 0) throw unsupported('internal snapshots');
  if (view.getUint32(96) !== refcountOrder) throw unsupported(`refcount order ${view.getUint32(96)}`);
  if (view.getUint32(100) !== headerLength) throw unsupported(`a header of ${view.getUint32(100)} bytes`);
  return {
    clusterBits: view.getUint32(20),
    virtualSize: u64(24),
    l1Entries: view.getUint32(36),
    l1Offset: u64(40),
    refcountTableOffset: u64(48),
    refcountTableClusters: view.getUint32(56),
  };
}

function unsupported(what: string): Qcow2Error {
  return new Qcow2Error('UNSUPPORTED', `the image has ${what}`);
}
