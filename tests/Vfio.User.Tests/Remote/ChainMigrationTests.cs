using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Remote;

/// <summary>Migration and the DMA log of a far device, through a relay and the server in front.</summary>
public class ChainMigrationTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_the_far_device_can_is_known_before_the_one_in_front_is_opened()
    {
        await using var chain = await Chain.StartAsync(prepare: device => device.FakeMigration = new FakeMigration());

        Assert.Equal(MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy, chain.Near.MigrationOps!.Capabilities);
    }

    [Fact]
    public async Task State_is_saved_and_loaded_by_a_client_of_the_server_in_front()
    {
        var migration = new FakeMigration { Last = [1, 2, 3, 4, 5] };
        await using var chain = await Chain.StartAsync(prepare: device => device.FakeMigration = migration);
        var device = new VfioUserDevice(VfioUserEndpoint.Path(chain.Path));
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        var ops = device.MigrationOps!;

        await using (var saving = (await ops.SetStateAsync(MigrationState.StopCopy, Cancellation)).Value!)
        {
            Assert.Equal(MigrationState.StopCopy, migration.State);
            var (saved, buffer) = (new List<byte>(), new byte[16]);
            while ((await saving.ReadAsync(buffer, Cancellation)) is { IsSuccess: true, Value: > 0 } read)
                saved.AddRange(buffer[..read.Value]);
            Assert.Equal(migration.Last, saved);
        }

        Assert.True((await ops.SetStateAsync(MigrationState.Stop, Cancellation)).IsSuccess);
        await using (var resuming = (await ops.SetStateAsync(MigrationState.Resuming, Cancellation)).Value!)
            Assert.True((await resuming.WriteAsync(new byte[] { 9, 8, 7 }, Cancellation)).IsSuccess);
        Assert.Equal([9, 8, 7], migration.Written);
        Assert.Equal(0x1234567890ul, (await ops.GetDataSizeAsync(Cancellation)).Value);

        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task What_the_far_device_has_written_is_reported_to_a_client_of_the_server_in_front()
    {
        var log = new FakeDmaLog();
        await using var chain = await Chain.StartAsync(prepare: device => device.FakeLog = log);
        var device = new VfioUserDevice(VfioUserEndpoint.Path(chain.Path));
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        var pageSize = 4096ul;

        Assert.True(device.DmaLogging!.Start([new(0x10000, 0x10000)], ref pageSize).IsSuccess);
        log.Write(0x13000);
        var bitmap = new ulong[1];
        Assert.True(device.DmaLogging.Report(0x10000, 0x10000, 4096, bitmap).IsSuccess);
        Assert.Equal(1ul << 3, bitmap[0]);
        Assert.True(device.DmaLogging.Stop().IsSuccess);
        await device.CloseAsync(ResetCause.Close);
    }
}
