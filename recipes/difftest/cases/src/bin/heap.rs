//! Programs that live off the heap: collections filled, changed and emptied, with checksums on the way.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap, LinkedList, VecDeque};
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ffi::c_int;
use core::hash::{BuildHasher, Hash, Hasher};
use core::hint::black_box;

use difftest_rt::{case, put};

/// A linear congruential generator, the same for both backends.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    vectors();
    btrees();
    tables();
    texts();
    queues();
    counted();
    trees();
    0
}

fn vectors() {
    let mut c = case("heap", "vec");
    let mut random = Random(black_box(1));
    let mut v: Vec<u64> = Vec::new();
    for round in 0..3000 {
        match random.next(6) {
            0 | 1 | 2 => v.push(random.next(1000)),
            3 if !v.is_empty() => drop(v.swap_remove(random.next(v.len() as u64) as usize)),
            4 => v.extend_from_within(..v.len().min(3)),
            5 => v.insert(v.len() / 2, round),
            _ => v.truncate(v.len() - v.len() / 10),
        }
        if round % 500 == 0 {
            put!(c, "{} {}", v.len(), v.iter().fold(0u64, |s, x| s.rotate_left(5) ^ x));
        }
    }
    drop(c);
    let mut c = case("heap", "vec-of-vec");
    let mut rows: Vec<Vec<u8>> = (0..black_box(50u8)).map(|i| (0..i).collect()).collect();
    rows.sort_by_key(|r| core::cmp::Reverse(r.len() % 7));
    let flat = rows.concat();
    put!(c, "{} {:?}", flat.len(), rows.iter().map(Vec::len).collect::<Vec<_>>());
    put!(c, "{:?}", rows.into_iter().flatten().map(|x| x as u32).sum::<u32>());
    drop(c);
    let mut c = case("heap", "zero-sized");
    let mut v = alloc::vec![(); 1000];
    v.push(());
    put!(c, "{} {:?}", v.len(), v.pop());
}

fn btrees() {
    let mut c = case("heap", "btreemap");
    let mut random = Random(black_box(2));
    let mut map = BTreeMap::new();
    for round in 0..4000u64 {
        let key = random.next(700);
        if random.next(3) > 0 {
            map.entry(key).and_modify(|v: &mut String| v.push('+')).or_insert_with(|| format!("{round}"));
        } else {
            map.remove(&key);
        }
        if round % 800 == 0 {
            let sum = map.iter().fold(0u64, |s, (k, v)| s.rotate_left(3) ^ (k * v.len() as u64));
            put!(c, "{} {sum}", map.len());
        }
    }
    let right = map.split_off(&350);
    put!(c, "{} {} {:?}", map.len(), right.len(), right.first_key_value());
    put!(c, "{:?}", right.range(400..=420).collect::<Vec<_>>());
    drop(c);
    let mut c = case("heap", "btreeset");
    let a: BTreeSet<i32> = (0..100).map(|i| i * 7 % 61).collect();
    let b: BTreeSet<i32> = (0..100).map(|i| i * 5 % 53 - 20).collect();
    put!(c, "{:?}", a.intersection(&b).collect::<Vec<_>>());
    put!(c, "{:?}", a.symmetric_difference(&b).sum::<i32>());
    put!(c, "{:?} {}", (&a | &b).len(), a.is_subset(&b));
}

/// FNV-1a, so that the order in a table is the same everywhere.
#[derive(Clone, Default)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl BuildHasher for Fnv {
    type Hasher = Fnv;
    fn build_hasher(&self) -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

/// A hash table with open addressing: there is none in alloc.
struct Table<K, V> {
    slots: Vec<Option<(K, V)>>,
    len: usize,
}

impl<K: Hash + Eq, V> Table<K, V> {
    fn new() -> Self {
        Table { slots: (0..8).map(|_| None).collect(), len: 0 }
    }

    fn slot(&self, key: &K) -> usize {
        let mut at = Fnv::default().hash_one(key) as usize;
        loop {
            at %= self.slots.len();
            match &self.slots[at] {
                Some((k, _)) if k != key => at += 1,
                _ => return at,
            }
        }
    }

    fn put(&mut self, key: K, value: V) -> Option<V> {
        if self.len * 4 > self.slots.len() * 3 {
            let size = self.slots.len() * 2;
            let old = core::mem::replace(&mut self.slots, (0..size).map(|_| None).collect());
            for (k, v) in old.into_iter().flatten() {
                let at = self.slot(&k);
                self.slots[at] = Some((k, v));
            }
        }
        let at = self.slot(&key);
        let before = self.slots[at].replace((key, value));
        self.len += before.is_none() as usize;
        before.map(|(_, v)| v)
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.slots[self.slot(key)].as_ref().map(|(_, v)| v)
    }
}

fn tables() {
    let mut c = case("heap", "hash-table");
    let mut random = Random(black_box(3));
    let mut table = Table::new();
    let mut replaced = 0;
    for i in 0..2000u64 {
        let key = (format!("key{}", random.next(900)), random.next(2) as u8);
        replaced += table.put(key, i).is_some() as u32;
    }
    put!(c, "{} {} {replaced}", table.len, table.slots.len());
    for i in [0, 1, 500, 899, 900] {
        put!(c, "{:?}{:?}", table.get(&(format!("key{i}"), 0)), table.get(&(format!("key{i}"), 1)));
    }
    put!(c, "{}", table.slots.iter().flatten().take(20).map(|((k, _), v)| format!("{k}={v},")).collect::<String>());
    drop(c);
    let mut c = case("heap", "derived-hash");
    #[derive(Hash)]
    enum Key<'a> {
        A(u8, &'a str),
        B { x: Option<i64>, y: [u16; 3] },
        C(Box<Key<'a>>),
    }
    for key in [Key::A(1, "a"), Key::B { x: None, y: [1, 2, 3] }, Key::B { x: Some(-1), y: [0; 3] }, Key::C(Box::new(Key::A(0, "")))] {
        put!(c, "{:x}", Fnv::default().hash_one(&key));
    }
}

fn texts() {
    let mut c = case("heap", "string");
    let mut text = String::new();
    let mut random = Random(black_box(4));
    for i in 0..2000 {
        match random.next(5) {
            0 => text.push(char::from_u32(0x3b1 + random.next(24) as u32).unwrap_or('?')),
            1 => text += &i.to_string(),
            2 => text.insert(0, '<'),
            3 => drop(text.pop()),
            _ => text.extend(["ab", "cde"]),
        }
    }
    put!(c, "{} {} {}", text.len(), text.chars().count(), text.bytes().fold(0u64, |s, b| s.wrapping_mul(31) + b as u64));
    put!(c, "{}", text.chars().rev().take(40).collect::<String>());
    drop(c);
    let mut c = case("heap", "join-split");
    let words: Vec<String> = (0..black_box(60)).map(|i| format!("{:b}", i * i)).collect();
    let joined = words.join("/");
    put!(c, "{} {}", joined.len(), joined.split('/').zip(&words).all(|(a, b)| a == b));
    put!(c, "{}", joined.rsplitn(3, '/').collect::<Vec<_>>().join("|"));
    drop(c);
    let mut c = case("heap", "cow");
    for text in ["plain", "with space", ""] {
        let cow = if text.contains(' ') { Cow::Owned(text.replace(' ', "_")) } else { Cow::Borrowed(text) };
        put!(c, "{cow} {}", matches!(cow, Cow::Owned(_)));
    }
}

fn queues() {
    let mut c = case("heap", "deque");
    let mut random = Random(black_box(5));
    let mut queue = VecDeque::new();
    for i in 0..2000u64 {
        match random.next(4) {
            0 => queue.push_front(i),
            1 => queue.push_back(i * 2),
            2 => drop(queue.pop_front()),
            _ => queue.rotate_left(queue.len() / 3),
        }
    }
    put!(c, "{} {:?} {}", queue.len(), queue.iter().take(10).collect::<Vec<_>>(), queue.iter().sum::<u64>());
    queue.make_contiguous().sort();
    put!(c, "{:?} {:?}", queue.front(), queue.back());
    drop(c);
    let mut c = case("heap", "priority");
    let mut heap: BinaryHeap<(u64, i32)> = (0..300).map(|i| (random.next(100), i)).collect();
    for _ in 0..20 {
        put!(c, "{:?}", heap.pop());
    }
    put!(c, "{:?}", heap.into_sorted_vec().iter().map(|x| x.0).sum::<u64>());
    drop(c);
    let mut c = case("heap", "linked-list");
    let mut list: LinkedList<u32> = (0..black_box(20)).collect();
    let mut tail = list.split_off(12);
    tail.append(&mut list);
    put!(c, "{tail:?} {}", list.len());
}

struct Node {
    name: u32,
    parent: RefCell<Weak<Node>>,
    children: RefCell<Vec<Rc<Node>>>,
}

fn counted() {
    let mut c = case("heap", "rc");
    let root = Rc::new(Node { name: 0, parent: RefCell::default(), children: RefCell::default() });
    let mut all = alloc::vec![root.clone()];
    for name in 1..black_box(40u32) {
        let parent = all[(name / 3) as usize].clone();
        let node = Rc::new(Node { name, parent: RefCell::new(Rc::downgrade(&parent)), children: RefCell::default() });
        parent.children.borrow_mut().push(node.clone());
        all.push(node);
    }
    let mut path = alloc::vec![];
    let mut at = Some(all[37].clone());
    while let Some(node) = at {
        path.push(node.name);
        at = node.parent.borrow().upgrade();
    }
    put!(c, "{path:?} {} {}", Rc::strong_count(&root), Rc::weak_count(&root));
    let last = all[37].clone();
    drop(all);
    drop(root);
    put!(c, "{} {}", Rc::strong_count(&last), last.parent.borrow().upgrade().is_none());
    drop(c);
    let mut c = case("heap", "arc");
    let a: Arc<str> = Arc::from("shared");
    let b: Vec<Arc<str>> = (0..black_box(9)).map(|_| a.clone()).collect();
    put!(c, "{} {}", Arc::strong_count(&a), b.iter().map(|x| x.len()).sum::<usize>());
    let mut n = Arc::new(5);
    *Arc::make_mut(&mut n) += 1;
    put!(c, "{n} {:?}", Arc::try_unwrap(n.clone()).is_ok());
}

enum Tree {
    Leaf,
    Branch(Box<Tree>, i64, Box<Tree>),
}

impl Tree {
    fn insert(self, x: i64) -> Tree {
        match self {
            Tree::Leaf => Tree::Branch(Box::new(Tree::Leaf), x, Box::new(Tree::Leaf)),
            Tree::Branch(l, y, r) if x < y => Tree::Branch(Box::new(l.insert(x)), y, r),
            Tree::Branch(l, y, r) => Tree::Branch(l, y, Box::new(r.insert(x))),
        }
    }
    fn depth(&self) -> usize {
        match self {
            Tree::Leaf => 0,
            Tree::Branch(l, _, r) => 1 + l.depth().max(r.depth()),
        }
    }
    fn walk(&self, f: &mut dyn FnMut(i64)) {
        if let Tree::Branch(l, x, r) = self {
            l.walk(f);
            f(*x);
            r.walk(f);
        }
    }
}

fn trees() {
    let mut c = case("heap", "tree");
    let mut random = Random(black_box(6));
    let tree = (0..500).fold(Tree::Leaf, |t, _| t.insert(random.next(10000) as i64 - 5000));
    let (mut sum, mut last, mut sorted) = (0i64, i64::MIN, true);
    tree.walk(&mut |x| {
        sorted &= last <= x;
        last = x;
        sum = sum.wrapping_mul(3) + x;
    });
    put!(c, "{} {sum} {sorted}", tree.depth());
    drop(c);
    let mut c = case("heap", "large-and-aligned");
    for size in [1usize, 100, 5000, 70000, 1 << 20] {
        let layout = core::alloc::Layout::from_size_align(size, 4096).unwrap_or_else(|e| panic!("{e}"));
        unsafe {
            let p = alloc::alloc::alloc_zeroed(layout);
            put!(c, "{} {}", p as usize % 4096, (0..size).map(|i| *p.add(i) as usize).sum::<usize>());
            *p = 1;
            alloc::alloc::dealloc(p, layout);
        }
    }
}
