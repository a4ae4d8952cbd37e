# syntax=docker/dockerfile:1
# The server as one native program in an image without a shell. Builds for the architecture it runs on:
#   docker buildx build --platform linux/amd64,linux/arm64 -t smi-metrics:0.1.0 .
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0-noble
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled

FROM ${SDK_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src/SmiMetrics src/SmiMetrics
RUN dotnet publish src/SmiMetrics -c Release --use-current-runtime -p:PublishAot=true -o /out && rm -f /out/*.dbg

FROM ${RUNTIME_IMAGE}
COPY --from=build /out/ /app/
# The image's own unprivileged user, as a number so that Kubernetes can see that it is not root.
USER 1654:1654
EXPOSE 6443 8081
ENTRYPOINT ["/app/smi-metrics"]
CMD ["serve"]
