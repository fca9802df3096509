# Objects, dictionaries, strings, big integers, floats: the interpreter's daily work.
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def add(self, other):
        return Point(self.x + other.x, self.y * 0.5 + other.y)


def primes(n):
    sieve = bytearray([1]) * n
    for i in range(2, int(n ** 0.5) + 1):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, n, i)))
    return [i for i in range(2, n) if sieve[i]]


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


words = {}
for i in range(60000):
    key = 'w%d' % (i * 7919 % 5003)
    words[key] = words.get(key, 0) + len(key)
p = Point(0, 0)
for i in range(60000):
    p = p.add(Point(i, 1.25))
print(sum(words.values()), p.x, p.y, len(primes(200000)), fib(21))
print(sum(int(c) for c in str(3 ** 3000)), sorted(words, key=lambda w: (words[w], w))[:3])
print('-'.join(sorted({w[::-1].upper() for w in words}))[:60])
