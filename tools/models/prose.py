"""Token ids of real English text for the language models.

BERT gets the words of its own vocabulary. No package brings the vocabularies
of GPT-2 and Llama; but both have a token for each single byte, and so the
bytes of the text are a valid, if long, encoding of it.
"""

import json

import catalog
import numpy as np

BERT_LENGTH = 128
LLAMA_LENGTH = 64


def text():
    """The text, as bytes."""
    return (catalog.REAL / "address.txt").read_bytes()


def bert_tokens():
    """The tokens of the pair of lines: a list of (token, id), with [CLS] and [SEP]."""
    return [tuple(pair) for pair in json.loads((catalog.REAL / "address.tokens.json").read_text())]


def address_for_bert(_session):
    """The pair with token types, padded with 0 outside the mask."""
    ids = np.array([token_id for _, token_id in bert_tokens()], np.int64)
    second = 1 + [token for token, _ in bert_tokens()].index("[SEP]")
    feed = {name: np.zeros((1, BERT_LENGTH), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    feed["input_ids"][0, : len(ids)] = ids
    feed["attention_mask"][0, : len(ids)] = 1
    feed["token_type_ids"][0, second : len(ids)] = 1
    return feed


def gpt2_byte_ids():
    """GPT-2's token id of each byte: the printable characters of Latin-1 come first, then the other bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = printable + [byte for byte in range(256) if byte not in printable]
    return np.argsort(order)


def address_for_gpt2(_session):
    """The first sentence."""
    sentence = text().split(b"\n")[0]
    return {"input_ids": gpt2_byte_ids()[np.frombuffer(sentence, np.uint8)][None].astype(np.int64)}


def llama_ids():
    """Beginning of text, then bytes: after three special tokens, Llama's vocabulary begins with the 256 bytes."""
    sentence = np.frombuffer(text()[: LLAMA_LENGTH - 1], np.uint8).astype(np.int64)
    return np.concatenate([[1], sentence + 3])[None]


def address_for_llama(_session):
    """The first 63 bytes."""
    return {"input_ids": llama_ids()}


def address_for_decode(session):
    """The last token of the same, with the caches that the session leaves after all tokens before it."""
    ids = llama_ids()
    caches = session.get_inputs()[1:]
    past = {cache.name: np.zeros((1, cache.shape[1], 0, cache.shape[3]), np.float32) for cache in caches}
    for step in range(ids.shape[1] - 1):
        outputs = session.run(None, {"input_ids": ids[:, step : step + 1], **past})
        past = dict(zip(past, outputs[1:], strict=True))
    return {"input_ids": ids[:, -1:], **past}
