"""Upload, list, show and delete products; everything answers in JSON."""

import hashlib

from django.forms import modelform_factory
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from catalog.models import Document, ImageCache, Product

ProductForm = modelform_factory(Product, fields=["name", "picture"])
DocumentForm = modelform_factory(Document, fields=["file"])


def as_json(product):
    """What a client needs to find the picture again, by HTTP and on disk."""
    return {
        "id": product.pk,
        "name": product.name,
        "picture": product.picture.name,
        "url": product.picture.url,
    }


@require_GET
def healthz(request):
    """Answers once the app is up."""
    return HttpResponse("ok\n", content_type="text/plain")


@csrf_exempt
@require_http_methods(["GET", "POST"])
def products(request):
    """Lists the products, or makes one of a posted `name` and `picture` (multipart)."""
    if request.method == "GET":
        return JsonResponse({"products": [as_json(p) for p in Product.objects.order_by("pk")]})
    form = ProductForm(request.POST, request.FILES)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    return JsonResponse(as_json(form.save()), status=201)


@csrf_exempt
@require_http_methods(["GET", "DELETE"])
def product(request, key):
    """Shows a product, or deletes it with its picture."""
    found = get_object_or_404(Product, pk=key)
    if request.method == "GET":
        return JsonResponse(as_json(found))
    # Django leaves files behind when a row goes; a shop that means it says so.
    found.picture.delete(save=False)
    found.delete()
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def documents(request):
    """Takes a posted `file` (multipart) of any kind."""
    form = DocumentForm(request.POST, request.FILES)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    file = form.save().file
    return JsonResponse({"file": file.name, "url": file.url}, status=201)


@require_GET
def image_cache(request):
    """What the app reads in imagecached's table, through the unmanaged model of the README."""
    entries = [
        {
            "path": entry.original_path,
            "has_data": entry.has_data,
            "size": entry.file_size,
            "type": entry.content_type_header,
            "sha256": entry.sha256,
            "sha256_of_data": (
                None if entry.image_data is None else hashlib.sha256(entry.read()).hexdigest()
            ),
        }
        for entry in ImageCache.objects.order_by("original_path")
    ]
    return JsonResponse({"count": ImageCache.objects.count(), "entries": entries})
