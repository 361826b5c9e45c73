using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Wire;

namespace Vfio.OracleReplay;

/// <summary>One recorded function, opened again and again.</summary>
internal sealed class DeviceReplay(RecordedHardware hardware) : IAsyncDisposable
{
    private ServedDevice? _served;

    public RecordedHardware Hardware => hardware;

    /// <summary>The function as it is after a fresh open.</summary>
    public ValueTask<OpenDevice> OpenAsync() => OpenDevice.OpenAsync(hardware);

    /// <summary>The function behind a vfio-user server; open until the replay ends.</summary>
    public async ValueTask<ServedDevice> ServeAsync() => _served ??= await ServedDevice.StartAsync(hardware).ConfigureAwait(false);

    public async ValueTask DisposeAsync()
    {
        if (_served is not null)
            await _served.DisposeAsync().ConfigureAwait(false);
    }
}
