using Microsoft.Extensions.DependencyInjection;
using Vfio.Hosting;
using Vfio.User;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests.Peers;

/// <summary>A sample's device behind a host and a server, as the sample itself has it; on a socket of its own.</summary>
internal sealed class ServedSample : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-samples-").FullName;
    private readonly ServiceProvider _provider;
    private ServedDevice? _served;

    private ServedSample(VfioDevice device)
    {
        var services = new ServiceCollection();
        services.AddVfio().AddDevice("sample", _ => device);
        _provider = services.BuildServiceProvider();
    }

    public string Path => System.IO.Path.Combine(_directory, "s");

    public IVfioHost Host => _provider.GetRequiredService<IVfioHost>();

    public static async Task<ServedSample> StartAsync(VfioDevice device)
    {
        var sample = new ServedSample(device);
        sample._served = await sample.Host.ServeAsync("sample", VfioUserEndpoint.Path(sample.Path));
        return sample;
    }

    public SampleClient Connect() => new(RawSocket.Connect(Path));

    public async ValueTask DisposeAsync()
    {
        await _served!.DisposeAsync();
        await _provider.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
