"""The options, declared once: registration, the sample configuration and the reference are made from these lists."""
