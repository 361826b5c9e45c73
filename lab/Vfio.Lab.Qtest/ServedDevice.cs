using System.Text.Json.Nodes;
using Vfio.User;

namespace Vfio.Lab.Qtest;

/// <summary>A device served on a socket inside QEMU's root, for as long as this object lives.</summary>
internal sealed class ServedDevice : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private readonly Sandbox _sandbox;
    private readonly string _path;

    private ServedDevice(Sandbox sandbox, VfioDevice device)
    {
        _sandbox = sandbox;
        _path = sandbox.NewSocket("device");
        var server = new VfioUserServer(device);
        _serving = server.RunAsync(VfioUserEndpoint.Path(_path), _stop.Token);
        Listening = server.Listening;
    }

    private Task Listening { get; }

    /// <summary>Serves a device; clients are accepted when this has completed.</summary>
    internal static async Task<ServedDevice> StartAsync(Sandbox sandbox, VfioDevice device)
    {
        var served = new ServedDevice(sandbox, device);
        await served.Listening;
        return served;
    }

    /// <summary>QEMU's description of its client, for <c>-device</c> and <c>device_add</c>.</summary>
    internal JsonObject Client(string id, string? bus = null, string? address = null)
    {
        var client = new JsonObject
        {
            ["driver"] = "vfio-user-pci",
            ["id"] = id,
            ["socket"] = new JsonObject { ["type"] = "unix", ["path"] = _sandbox.Inside(_path) },
        };
        if (bus is not null)
            client["bus"] = bus;
        if (address is not null)
            client["addr"] = address;
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _stop.Dispose();
    }
}
