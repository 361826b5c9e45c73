using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Access;

[Collection(ProcessWide.Name)]
public class AllocationTests
{
    private const int Messages = 10_000;

    /// <summary>A device whose accesses measure what their own thread has allocated since the first of them.</summary>
    private sealed class MeasuringDevice : VfioDevice, IMigrationOps
    {
        private long _start = -1;

        public long Allocated { get; private set; }

        public int Accesses { get; private set; }

        public override DeviceInfo Info => new(DeviceFlags.None, 9, 5);

        public void Restart() => _start = -1;

        public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
            => ValueTask.FromResult(VfioResult.Success);

        public override ValueTask CloseAsync(ResetCause cause) => ValueTask.CompletedTask;

        public override VfioResult<RegionInfo> GetRegionInfo(int region) => RegionInfo.Absent;

        public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.None, 0);

        public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Measure(destination.Length);

        public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Measure(source.Length);

        public override VfioResult<int> SetIrqs(in IrqSet set) => Errno.EINVAL;

        public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
            => ValueTask.FromResult(VfioResult.Success);

        public override IMigrationOps? MigrationOps => this;

        public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy;

        public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken) => new(MigrationState.Running);

        public ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
            => new(new MeasuringStream(this, state == MigrationState.StopCopy));

        public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken) => new(0ul);

        public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken) => new(Errno.EINVAL);

        private int Measure(int count)
        {
            var now = GC.GetAllocatedBytesForCurrentThread();
            if (_start < 0)
                _start = now;
            Allocated = now - _start;
            Accesses++;
            return count;
        }
    }

    /// <summary>A data stream whose reads and writes measure the same.</summary>
    private sealed class MeasuringStream(MeasuringDevice device, bool isSaving) : MigrationDataStream
    {
        public override bool IsSaving => isSaving;

        public override ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
            => new(device.Read(0, 0, destination.Span));

        public override ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
            => new(device.Write(0, 0, source.Span));

        public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken) => new(Errno.EINVAL);

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(3u, 17)]
    [InlineData(4u, 18)]
    public async Task A_message_of_a_data_stream_allocates_nothing(uint state, ushort command)
    {
        const int Length = 1 << 20;
        var device = new MeasuringDevice();
        var (socket, there) = RawSocket.Pair();
        var running = new VfioUserServer(device).RunAsync(VfioUserEndpoint.Descriptor(there), CancellationToken.None);
        using (var client = new TestClient(socket))
        {
            client.Negotiate();
            client.SetState(state);
            var payload = Fields.Of(Length + 8u, (uint)Length, new byte[command == 18 ? Length : 0]);
            for (var i = 0; i < 5; i++)
                client.Succeed(command, payload);
            device.Restart();
            for (var i = 0; i < 50; i++)
                client.Succeed(command, payload);
            Assert.Equal((0, 55), (device.Allocated, device.Accesses));
        }

        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    public static TheoryData<string, ushort, byte[], uint> Accesses => new()
    {
        { "read", 9, Fields.Of(0ul, 0u, 4u), 0 },
        { "long read", 9, Fields.Of(0ul, 0u, 4096u), 0 },
        { "write", 10, Fields.Of(0ul, 0u, 8u, 1ul), 0 },
        { "long write", 10, Fields.Of(0ul, 0u, 4096u, new byte[4096]), 0 },
        { "posted write", 10, Fields.Of(0ul, 0u, 4u, 1u), 0x10 },
        { "multiple writes", 15, Fields.Of(4ul, new byte[16], 1ul, new byte[16], 1ul, 0ul, 0u, 8u, 1ul, 0ul, 0u, 8u, 1ul), 0x10 },
        { "refused", 9, Fields.Of(0ul, 99u, 4u), 0 },
    };

    [Theory]
    [MemberData(nameof(Accesses))]
    public async Task An_access_allocates_nothing(string kind, ushort command, byte[] payload, uint flags)
    {
        var device = new MeasuringDevice();
        using var stop = new CancellationTokenSource();
        var (socket, there) = RawSocket.Pair();
        var running = new VfioUserServer(device).RunAsync(VfioUserEndpoint.Descriptor(there), stop.Token);
        using (var client = new TestClient(socket))
        {
            client.Negotiate();
            Access(100);
            device.Restart();
            client.ReadRegion(0, 0, 4);
            var before = device.Accesses;
            Access(Messages);
            client.ReadRegion(0, 0, 4);
            Assert.True(device.Allocated == 0, $"{kind}: {device.Allocated} bytes for {Messages} accesses");
            Assert.True(kind == "refused" || device.Accesses > before + Messages);

            void Access(int times)
            {
                for (var i = 0; i < times; i++)
                {
                    client.Send(command, payload, flags);
                    if (flags == 0)
                        client.Receive();
                }
            }
        }

        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }
}
