using Microsoft.Extensions.Logging;

namespace Vfio.Core.Tests.Migration;

/// <summary>A scripted device with its service, and a pool that knows what is out.</summary>
internal sealed class Migrating
{
    public Migrating(MigrationCapabilities capabilities = ScriptedMigration.All, ILogger? logger = null)
    {
        Variant = new(capabilities);
        Device = new(Variant);
        Service = new(Device, logger, Pool);
    }

    public ScriptedMigration Variant { get; }

    public ScriptedDevice Device { get; }

    public MigrationService Service { get; }

    public CountingPool Pool { get; } = new();

    /// <summary>Goes to a state, which must be reached.</summary>
    public async Task<MigrationDataStream?> GoAsync(MigrationState state)
    {
        var result = await Service.SetStateAsync(state, TestContext.Current.CancellationToken);
        Assert.Equal(Errno.None, result.Error);
        return result.Value;
    }

    /// <summary>Goes to a state, which must begin a stream.</summary>
    public async Task<MigrationDataStream> BeginAsync(MigrationState state)
    {
        var stream = await GoAsync(state);
        Assert.NotNull(stream);
        return stream;
    }

    public async Task<Errno> FailAsync(MigrationState state)
    {
        var result = await Service.SetStateAsync(state, TestContext.Current.CancellationToken);
        Assert.Null(result.Value);
        return result.Error;
    }

    public async Task<MigrationState> StateAsync() => (await Service.GetStateAsync(TestContext.Current.CancellationToken)).Value;
}
