"""The log loss of an n-gram model with modified Kneser–Ney smoothing, as a peer of a language model.

    cargo run --release --example train_language -- --dataset ml-100k --data DIR --out MODEL --texts TEXTS
    python3 benches/peers/kneser_ney.py MODEL TEXTS [ORDER ...]

needs `tokenizers`. The same tokens (MODEL/tokenizer.json), each text between the begin and the end
token, every token but the first predicted, none cut. Orders 2 to 7 are tried and all printed, so that
the peer has its best one. Discounts are those of Chen and Goodman 1999, equation 26; probabilities are
interpolated down to equal ones. Prints one JSON line.
"""

import json
import math
import sys
from collections import Counter, defaultdict

from tokenizers import Tokenizer

BEGIN, END = 1, 2


class KneserNey:
    def __init__(self, texts, order, vocabulary):
        self.order, self.vocabulary = order, vocabulary
        raw = [Counter() for _ in range(order + 1)]
        for text in texts:
            for end in range(1, len(text)):
                for n in range(1, min(order, end + 1) + 1):
                    raw[n][text[end - n + 1 : end + 1]] += 1
        self.counts, self.discounts, self.sums = [None], [None], [None]
        for n in range(1, order + 1):
            if n == order:
                adjusted = raw[n]
            else:
                # How many different tokens precede; before the begin token none does.
                adjusted = Counter(gram[1:] for gram in raw[n + 1])
                adjusted.update({g: count for g, count in raw[n].items() if g[0] == BEGIN})
            of = Counter(adjusted.values())
            share = of[1] / (of[1] + 2 * of[2])
            # Where counts are not distributed as the estimate believes, it stays in a range that leaves
            # something for what was not seen.
            raw_discounts = [k - (k + 1) * share * of[k + 1] / max(of[k], 1) for k in (1, 2, 3)]
            discounts = [0.0] + [min(max(d, 0.1), k) for k, d in enumerate(raw_discounts, start=1)]
            counts = defaultdict(dict)
            for gram, count in adjusted.items():
                counts[gram[:-1]][gram[-1]] = count
            self.counts.append(counts)
            self.discounts.append(discounts)
            self.sums.append({
                context: (sum(of.values()), sum(discounts[min(c, 3)] for c in of.values()))
                for context, of in counts.items()
            })

    def probability(self, context, token):
        probability = 1 / self.vocabulary
        for n in range(1, min(self.order, len(context) + 1) + 1):
            part = context[len(context) - n + 1 :]
            if part not in self.sums[n]:
                break
            total, kept = self.sums[n][part]
            count = self.counts[n][part].get(token, 0)
            probability = (count - self.discounts[n][min(count, 3)] + kept * probability) / total
        return probability


def main(model, folder, orders):
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.encode_special_tokens = True
    vocabulary = tokenizer.get_vocab_size()

    def read(name):
        lines = [line.rstrip("\n") for line in open(f"{folder}/{name}", encoding="utf-8")]
        encoded = tokenizer.encode_batch(lines, add_special_tokens=False)
        return [(BEGIN, *text.ids, END) for text in encoded]

    train, held_out = read("train.txt"), read("held_out.txt")
    losses = {}
    for order in orders:
        peer = KneserNey(train, order, vocabulary)
        for context in [(BEGIN,), held_out[0][3:10], held_out[-1][5:12]]:
            total = sum(peer.probability(context, token) for token in range(vocabulary))
            assert abs(total - 1) < 1e-9, (order, context, total)
        loss, tokens = 0.0, 0
        for text in held_out:
            for at in range(1, len(text)):
                loss -= math.log(peer.probability(text[max(0, at - order + 1) : at], text[at]))
                tokens += 1
        losses[order] = loss / tokens
        print(order, losses[order], file=sys.stderr)
    best = min(losses, key=losses.get)
    print(json.dumps({"peer": "modified Kneser-Ney", "order": best, "held_out_loss": losses[best],
                      "held_out_tokens": tokens, "losses": losses}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(order) for order in sys.argv[3:]] or range(2, 8))
