"""Random lives of RBD images, and what librbd says of them: histories.py CONF POOL SEED STEPS SECONDS [DATA-POOL]

Each step changes an image, takes a snapshot, reads it whole, and compares what differs from an earlier snapshot with each
way of asking librbd for that. One line of JSON a life: how many steps, and for each way how many steps in which it missed a
change (to the sector of 512 bytes), with the first of them. docs/formats.md has a table of what came of it.
"""
import json, random, sys, time
import rados, rbd

conf, pool, seed, steps, seconds = sys.argv[1:4] + [int(n) for n in sys.argv[4:6]]
data_pool = sys.argv[6] if len(sys.argv) > 6 else None
namespace = pool.split('/')[1] if '/' in pool else ''
cluster = rados.Rados(conffile=conf)
cluster.connect()
io = cluster.open_ioctx(pool.split('/')[0])
io.set_namespace(namespace)
SECTOR, MIB = 512, 1024 * 1024
ends = time.monotonic() + seconds


def extents(image, base, whole):
    found = []
    image.diff_iterate(0, image.size(), base, lambda at, n, exists: found.append((at, n, exists)), True, whole)
    return found


def covered(found, sectors):
    """A bit for each sector that an extent touches."""
    bits = bytearray(sectors)
    for at, n, _ in found:
        first, last = at // SECTOR, min(sectors, -(-(at + n) // SECTOR))
        bits[first:last] = b'\1' * (last - first)
    return bits


def differing(one, other):
    """A bit for each sector in which two contents of the same length differ."""
    bits = bytearray(-(-len(one) // SECTOR))
    step = 64 * 1024
    for start in range(0, len(one), step):
        if one[start:start + step] == other[start:start + step]:
            continue
        for at in range(start, min(start + step, len(one)), SECTOR):
            bits[at // SECTOR] = one[at:at + SECTOR] != other[at:at + SECTOR]
    return bits


def first_missed(wanted, bits):
    # Numbers as long as the bits: much faster than one by one.
    missed = int.from_bytes(wanted, 'little') & ~int.from_bytes(bits, 'little')
    return None if missed == 0 else ((missed & -missed).bit_length() - 1) // 8


class Life:
    def __init__(self, number):
        self.random = r = random.Random(f'{seed} {number}')
        self.name = f'life-{seed}-{number}'
        self.order = r.choice([12, 16, 20, 22, 22, 23, 25])
        most = {12: 2, 16: 16, 25: 80}.get(self.order, 32)
        self.size = r.randint(1, most * MIB // SECTOR) * SECTOR
        self.most = most * MIB
        self.mapped = r.random() < 0.6
        features = rbd.RBD_FEATURE_LAYERING
        if self.mapped:
            features |= rbd.RBD_FEATURE_EXCLUSIVE_LOCK | rbd.RBD_FEATURE_OBJECT_MAP | rbd.RBD_FEATURE_FAST_DIFF
            if r.random() < 0.2:
                features |= rbd.RBD_FEATURE_JOURNALING
        if r.random() < 0.3:
            features |= rbd.RBD_FEATURE_DEEP_FLATTEN
        options = dict(features=features, order=self.order)
        self.traits = ['object map' if self.mapped else 'no object map', f'order {self.order}']
        if r.random() < 0.15 and self.order > 16:
            options.update(stripe_unit=2 ** (self.order - 2), stripe_count=3)
            self.traits.append('striped')
        # From a generator of its own: what a seed stands for else stays the same.
        if data_pool and random.Random(f'{seed} {number} pool').random() < 0.4:
            options.update(data_pool=data_pool)
            self.traits.append('data pool')
        if r.random() < 0.35:
            parent = self.name + '-parent'
            rbd.RBD().create(io, parent, self.size, old_format=False, features=features & ~rbd.RBD_FEATURE_JOURNALING, order=self.order)
            with rbd.Image(io, parent) as image:
                self.write(image)
                self.write(image)
                image.create_snap('s')
                image.protect_snap('s')
            if r.random() < 0.3:
                options.pop('stripe_unit', None), options.pop('stripe_count', None)
            rbd.RBD().clone(io, parent, 's', io, self.name, **options)
            self.traits.append('clone')
        else:
            rbd.RBD().create(io, self.name, self.size, old_format=False, **options)
        self.base = self.base_content = self.base_listing = None
        # A migration makes another image, with copies of the snapshots: what is asked of those is judged by itself.
        self.after = ''
        self.counts = {'exact': 0, 'whole': 0, 'both': 0, 'listings': 0, 'listing': 0, 'whole listing': 0}
        self.missed = dict.fromkeys(self.counts, 0)
        self.examples = {}

    def range(self, size):
        r = self.random
        unit = r.choice([SECTOR, 4096, 65536, 2 ** self.order])
        length = min(size, r.randint(1, 2 ** r.randint(0, 12)) * r.choice([SECTOR, 4096]))
        # It ends, or begins, at a border that matters.
        at = r.randint(0, size) // unit * unit
        at = max(0, min(size - length, at - length if r.random() < 0.5 else at))
        return at, length

    def write(self, image):
        size = image.size()
        if size > 0:
            at, length = self.range(size)
            image.write(self.random.randbytes(min(64, length)) * -(-length // 64), at) if length % 64 == 0 and length >= 64 else image.write(self.random.randbytes(length), at)

    def act(self, image, done):
        r, size = self.random, image.size()
        what = r.choices(
            ['write', 'discard', 'discard object', 'zeroes', 'resize', 'snapshot', 'rollback', 'flatten', 'rebuild'],
            [8, 6, 4, 2, 1, 0.5, 0.7, 0.2, 0.2])[0]
        done.append(what)
        if size == 0 and what not in ('resize', 'snapshot'):
            return
        if what == 'write':
            self.write(image)
        elif what == 'discard':
            image.discard(*self.range(size))
        elif what == 'discard object':
            # Whole, or its end: what is truncated.
            object_size = 2 ** self.order
            start = r.randint(0, max(0, size - 1)) // object_size * object_size
            end = min(size, start + object_size)
            at = r.choice([start, start, start + r.randint(0, max(0, end - start - 1)) // SECTOR * SECTOR])
            image.discard(at, end - at)
        elif what == 'zeroes':
            at, length = self.range(size)
            image.write_zeroes(at, length)
        elif what == 'resize':
            image.resize(r.choice([r.randint(0, self.most // SECTOR) * SECTOR, self.size, size // 2 // SECTOR * SECTOR]))
        elif what == 'snapshot':
            image.create_snap(f'other-{r.getrandbits(40)}')
        elif what == 'rollback':
            snaps = [s['name'] for s in image.list_snaps()]
            if snaps:
                image.rollback_to_snap(r.choice(snaps))
        elif what == 'flatten':
            try:
                image.flatten()
            except rbd.InvalidArgument:
                pass
        elif what == 'rebuild' and self.mapped:
            image.rebuild_object_map()

    def migrate(self):
        if self.random.random() > 0.02:
            return False
        rbd.RBD().migration_prepare(io, self.name, io, self.name + '-moved')
        rbd.RBD().migration_execute(io, self.name + '-moved')
        rbd.RBD().migration_commit(io, self.name + '-moved')
        rbd.RBD().rename(io, self.name + '-moved', self.name)
        return True

    def step(self, number):
        r, done = self.random, []
        # As often as not the image is opened anew: then nothing of it is remembered.
        with rbd.Image(io, self.name) as image:
            for _ in range(r.randint(0, 5)):
                self.act(image, done)
        if self.migrate():
            done.append('migration')
            self.after = 'after a migration: '
        name = f's{number}'
        with rbd.Image(io, self.name) as image:
            image.create_snap(name)
        with rbd.Image(io, self.name, snapshot=name, read_only=True) as snap:
            size = snap.size()
            content = snap.read(0, size) if size > 0 else b''
            listing = extents(snap, None, False)
            self.judge('listing', number, done, differing(content, bytes(size)), covered(listing, -(-size // SECTOR)))
            if self.mapped and size > 0:
                whole = covered(extents(snap, None, True), -(-size // SECTOR))
                self.judge('whole listing', number, done, differing(content, bytes(size)), whole)
            if self.base is not None:
                both = min(size, len(self.base_content))
                sectors = -(-both // SECTOR)
                wanted = differing(content[:both], self.base_content[:both])
                exact = covered(extents(snap, self.base, False), sectors)
                self.judge('exact', number, done, wanted, exact)
                lists = differing(bytes(covered(listing, sectors)), bytes(covered(self.base_listing, sectors)))
                now, before = covered(listing, sectors), covered(self.base_listing, sectors)
                either = bytes(a | (b != c) for a, b, c in zip(exact, now, before))
                self.judge('listings', number, done, wanted, either)
                if self.mapped and size > 0:
                    whole = covered(extents(snap, self.base, True), sectors)
                    self.judge('whole', number, done, wanted, whole)
                    self.judge('both', number, done, wanted, bytes(a | b for a, b in zip(exact, whole)))
        # The newest is the next base, unless the run failed.
        if self.base is None or r.random() < 0.85:
            self.after = ''
            old, self.base, self.base_content, self.base_listing = self.base, name, content, listing
            if old is not None and r.random() < 0.9:
                with rbd.Image(io, self.name) as image:
                    image.remove_snap(old)

    def judge(self, way, number, done, wanted, bits):
        if 'listing' not in way or way == 'listings':
            way = self.after + way
        self.counts[way] = self.counts.get(way, 0) + 1
        missed = first_missed(wanted, bits)
        if missed is not None:
            self.missed[way] = self.missed.get(way, 0) + 1
            self.examples.setdefault(way, f'step {number}: sector {missed}, after {", ".join(done)}')

    def end(self):
        for name in (self.name, self.name + '-parent'):
            try:
                with rbd.Image(io, name) as image:
                    for snap in list(image.list_snaps()):
                        if image.is_protected_snap(snap['name']):
                            image.unprotect_snap(snap['name'])
                        image.remove_snap(snap['name'])
                rbd.RBD().remove(io, name)
            except rbd.ImageNotFound:
                pass


done, number = 0, 0
while done < steps and time.monotonic() < ends:
    life = Life(number)
    for at in range(min(20, steps - done)):
        life.step(at)
        done += 1
    life.end()
    print(json.dumps(dict(life=number, traits=life.traits, mapped=life.mapped, counts=life.counts, missed=life.missed, examples=life.examples)), flush=True)
    number += 1
