//! Behaviour and items said in words, in Chinese and English, for proclivity's language models.
