"""The way of one request, from accept to the last byte."""
