using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Vfio.Hosting;
using Vfio.Tool.Demo;
using Vfio.Tool.Demo.Nvme;
using Vfio.User;

namespace Vfio.Tool.Tests;

/// <summary><c>--remote SOCKET</c>: the device of another vfio-user server is a function of this command.</summary>
public sealed class RemoteTests : IAsyncLifetime
{
    private const ulong GuestMemory = 0x10_0000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-remote-");
    private readonly ServiceProvider _services;
    private ServedDevice _served = null!;

    public RemoteTests()
    {
        var services = new ServiceCollection();
        services.AddVfio().AddSimulation();
        _services = services.BuildServiceProvider();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Far => Path.Combine(_directory.FullName, "far");

    private string Near => Path.Combine(_directory.FullName, "near");

    public async ValueTask InitializeAsync()
        => _served = await _services.GetRequiredService<IVfioHost>().ServeAsync(
            PciAddress.Parse("0000:01:00.1"), VfioUserEndpoint.Path(Far), null, Cancellation);

    public async ValueTask DisposeAsync()
    {
        await _served.DisposeAsync();
        await _services.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task List_shows_the_remote_function_and_the_embedded_ones_no_more()
    {
        var result = await Cli.RunAsync("list", "--remote", Far, "--json");
        Assert.Equal("", result.Error);
        var function = Assert.Single(result.Json().EnumerateArray());
        Assert.Equal("ffff:00:00.0", function.GetProperty("address").GetString());
        Assert.Equal("PF", function.GetProperty("kind").GetString());
        Assert.Equal("vfio", function.GetProperty("mode").GetString());
        Assert.Equal("vfio-user", function.GetProperty("model").GetString());
        Assert.Equal("vfio-pci", function.GetProperty("driver").GetString());
        Assert.Equal("0x4e56", function.GetProperty("ids").GetProperty("device").GetString());
        Assert.Equal("0x010802", function.GetProperty("ids").GetProperty("class").GetString());
    }

    [Fact]
    public async Task Remote_functions_and_those_of_a_topology_are_listed_together()
    {
        var topology = Path.Combine(_directory.FullName, "topology.json");
        await File.WriteAllTextAsync(topology, (await Cli.RunAsync("topology")).Out, Cancellation);

        var addresses = (await Cli.RunAsync("list", "--remote", Far, "--topology", topology, "--json")).Json().EnumerateArray()
            .Select(f => f.GetProperty("address").GetString()).ToList();
        Assert.Contains("0000:01:00.1", addresses);
        Assert.Equal("ffff:00:00.0", addresses[^1]);
    }

    [Fact]
    public async Task Show_opens_it_and_says_where_it_is()
    {
        var text = (await Cli.RunAsync("show", "ffff:00:00.0", "--remote", Far)).Out;
        Assert.Contains($"vfio-user server: {Far}", text, StringComparison.Ordinal);
        Assert.Contains("Region 0: BAR 0", text, StringComparison.Ordinal);
        Assert.Contains("MSI-X", text, StringComparison.Ordinal);
        // A suffix will do, and the server is free for the next.
        Assert.Equal(0, (await Cli.RunAsync("explain", "00.0", "--remote", Far)).Code);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_one_line_that_says_what_to_do()
        => (await Cli.RunAsync("list", "--remote", Near)).AssertFailed(1, $"remote {Near}: there is no such socket; start its server first");

    [Fact]
    public async Task An_empty_socket_is_a_wrong_argument()
        => (await Cli.RunAsync("list", "--remote", "")).AssertFailed(2, "--remote: a socket's path is not empty");

    [Fact]
    public async Task A_guests_driver_works_through_a_proxy_that_serves_a_remote_function()
    {
        using var proxy = Process.Start(new ProcessStartInfo(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Vfio.Tool.dll"), "serve", "ffff:00:00.0", "--remote", Far, "--socket-path", Near])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        proxy.BeginErrorReadLine();
        try
        {
            var line = await proxy.StandardOutput.ReadLineAsync(Cancellation).AsTask().WaitAsync(Patience, Cancellation);
            Assert.Equal($"serving ffff:00:00.0 on {Near}", line);
            await DriveAsync();
        }
        finally
        {
            proxy.Kill();
            await proxy.WaitForExitAsync(Cancellation);
        }
    }

    // Two processes and two sockets lie between this driver and its controller: registers, MSI-X and DMA all cross them.
    private async Task DriveAsync()
    {
        var services = new ServiceCollection();
        services.AddVfio().AddVfioUser(Near);
        await using var provider = services.BuildServiceProvider();
        await using var opened = await provider.GetRequiredService<IVfioHost>().OpenAsync(PciAddress.Parse("ffff:00:00.0"), null, Cancellation);
        var memory = LocalMemory.Allocate(GuestMemory, 6 * 4096);
        Assert.True(opened.Dma.Map(memory).IsSuccess);
        using var controller = new Controller(opened.Device, memory);
        new GuestConfig(opened.Device).Enable();
        controller.Enable();
        controller.Attach();
        RandomNumberGenerator.Fill(controller.Data);
        var written = controller.Data.ToArray();
        controller.WriteBlocks(8);
        controller.Data.Clear();
        controller.ReadBlocks(8);
        Assert.Equal(written, controller.Data.ToArray());

        new GuestConfig(opened.Device).FunctionLevelReset();
        new GuestConfig(opened.Device).Enable();
        Assert.Equal(0u, controller.Read32(Registers.Configuration) & Registers.Enable);
        controller.Enable();
        controller.Attach();
        controller.Data.Clear();
        controller.ReadBlocks(8);
        Assert.Equal(written, controller.Data.ToArray());
    }
}
