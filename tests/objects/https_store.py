"""An S3 server behind TLS, whose certificate is from an authority that was made for the occasion.

    https_store.py DIRECTORY BUCKET PORT

Writes the authority's certificate to DIRECTORY/authority.pem, prints a line once it answers at the
port, and ends when its standard input does.
"""

import datetime
import ipaddress
import ssl
import sys
import threading
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.server import main

directory, bucket, port = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, *extensions):
    builder = x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def write(file, *pems):
    with open(f"{directory}/{file}", "wb") as out:
        out.write(b"".join(pems))


def pem(of):
    return of.public_bytes(serialization.Encoding.PEM)


authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
authority = certificate(
    "imagecached tests", authority_key, "imagecached tests", authority_key,
    (x509.BasicConstraints(ca=True, path_length=None), True),
)
server = certificate(
    "store", server_key, "imagecached tests", authority_key,
    (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False),
    (x509.BasicConstraints(ca=False, path_length=None), True),
)
write("authority.pem", pem(authority))
write("server.pem", pem(server))
write("server.key", server_key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
))

arguments = ["-p", port, "-c", f"{directory}/server.pem", "-k", f"{directory}/server.key"]
threading.Thread(target=main, args=(arguments,), daemon=True).start()

trusting = ssl.create_default_context(cafile=f"{directory}/authority.pem")
request = urllib.request.Request(f"https://127.0.0.1:{port}/{bucket}", method="PUT")
while True:
    try:
        urllib.request.urlopen(request, context=trusting).close()
        break
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError):
            raise
print("up", flush=True)
sys.stdin.read()
