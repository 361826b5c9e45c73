using Microsoft.Extensions.DependencyInjection;
using Vfio.Hosting;

namespace Vfio.Samples.Tests.Peers;

/// <summary>A sample's device, open in process behind a host.</summary>
internal sealed class OpenSample : IAsyncDisposable
{
    private readonly ServiceProvider _provider;
    private OpenedDevice? _opened;

    private OpenSample(VfioDevice device)
    {
        var services = new ServiceCollection();
        services.AddVfio().AddDevice("sample", _ => device);
        _provider = services.BuildServiceProvider();
    }

    public VfioDevice Device => _opened!.Device;

    public static async Task<OpenSample> StartAsync(VfioDevice device, DmaSpace? memory = null)
    {
        var sample = new OpenSample(device);
        sample._opened = await sample._provider.GetRequiredService<IVfioHost>().OpenAsync("sample", new() { Dma = memory });
        return sample;
    }

    public byte[] Read(int region, ulong offset, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, Device.Read(region, offset, bytes));
        return bytes;
    }

    public void Write(int region, ulong offset, params byte[] bytes) => Assert.Equal(bytes.Length, Device.Write(region, offset, bytes));

    public int SetIntx(IrqSetFlags flags, Microsoft.Win32.SafeHandles.SafeFileHandle? eventFd = null)
    {
        var result = Device.SetIrqs(new IrqSet { Flags = flags, Count = 1, EventFds = eventFd is null ? default : new[] { eventFd } });
        Assert.True(result.IsSuccess, result.ToString());
        return result.Value;
    }

    public async ValueTask DisposeAsync()
    {
        await _opened!.DisposeAsync();
        await _provider.DisposeAsync();
    }
}
